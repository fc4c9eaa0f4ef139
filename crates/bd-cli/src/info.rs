//! `bd info`: what this program is built on and what this machine has.

use bd_core::memory::proc_field;
use bd_core::{DeviceSpec, Result, cuda, libtorch};
use serde_json::{Value, json};

use crate::console;
use bd_core::text::plural;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that this program was built from, if it was built in a git checkout.
pub(crate) fn git_hash() -> Option<String> {
    Some(env!("BD_GIT_HASH").to_owned()).filter(|hash| !hash.is_empty())
}

pub(crate) fn info(as_json: bool) -> Result<()> {
    let facts = facts();
    console::result(&if as_json { facts.to_string() } else { text(&facts) })
}

fn text(facts: &Value) -> String {
    let show = |value: &Value| match value {
        Value::Null => "unknown".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (versions, cpu) = (&facts["versions"], &facts["cpu"]);
    let threads = plural(cpu["threads"].as_u64().unwrap_or_default() as usize, "thread");
    let mut lines = vec![
        format!("bd        {VERSION} (git {})", show(&versions["git"])),
        format!("libtorch  {}", show(&versions["libtorch"])),
        format!("          {}", show(&versions["libtorch_file"])),
        format!("cpu       {}, {threads}, memory {} GiB", show(&cpu["name"]), gib(&cpu["memory_bytes"])),
        format!("          features: {}", words(&cpu["features"])),
    ];
    for (i, gpu) in facts["cuda"]["gpus"].as_array().into_iter().flatten().enumerate() {
        let (memory, capability) = (gib(&gpu["memory_bytes"]), show(&gpu["compute_capability"]));
        lines.push(format!("cuda:{i}    {}, memory {memory} GiB, compute capability {capability}", show(&gpu["name"])));
    }
    lines.push(match facts["cuda"]["problem"].as_str() {
        Some(problem) => format!("cuda      not usable: {problem}"),
        None => "cuda      usable".into(),
    });
    lines.join("\n")
}

fn facts() -> Value {
    // Before anything else, for libtorch asks only once whether there is CUDA.
    let problem = match DeviceSpec::Cuda(0).resolve() {
        Ok(_) => None,
        Err(bd_core::Error::Cuda(problem)) => Some(problem.to_string()),
        Err(other) => Some(other.to_string()),
    };
    let gpus: Vec<Value> = cuda::gpus()
        .unwrap_or_default()
        .into_iter()
        .map(|gpu| {
            let (major, minor) = gpu.capability;
            json!({"name": gpu.name, "memory_bytes": gpu.memory_bytes, "compute_capability": format!("{major}.{minor}")})
        })
        .collect();
    json!({
        "versions": {
            "bd": VERSION,
            "git": git_hash(),
            "libtorch": libtorch::version(),
            "libtorch_file": libtorch::file(),
        },
        "cpu": {
            "name": proc_field("/proc/cpuinfo", "model name"),
            "threads": std::thread::available_parallelism().map_or(1, usize::from),
            "memory_bytes": memory_bytes(),
            "features": cpu_features(),
        },
        "cuda": {"gpus": gpus, "problem": problem},
    })
}

/// The instruction sets that matter to kernels.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512bf16", std::is_x86_feature_detected!("avx512bf16")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let found: [(&str, bool); 0] = [];
    found.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

fn memory_bytes() -> Option<u64> {
    let kib: u64 = proc_field("/proc/meminfo", "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn gib(bytes: &Value) -> String {
    bytes.as_u64().map_or("unknown".into(), |bytes| format!("{:.1}", bytes as f64 / (1u64 << 30) as f64))
}

fn words(list: &Value) -> String {
    let words: Vec<_> = list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if words.is_empty() { "none of avx2, fma, avx512".into() } else { words.join(" ") }
}
