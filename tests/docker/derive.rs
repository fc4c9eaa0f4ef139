//! Which libraries an image gets, on a libtorch of empty libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::dockerfile::checkout;
use crate::room::{kept_in, succeeds};

/// Libraries in the layout of wheels: each with what it needs, and with names that it may open.
const LIBRARIES: &[(&str, &[&str], &str)] = &[
    ("torch/lib/libc10.so", &[], ""),
    ("nvidia/cu13/lib/libcudart.so.13", &[], ""),
    ("torch/lib/libtorch_cpu.so", &["libc10.so", "libcudart.so.13"], "libtorch.so"),
    ("torch/lib/libtorch.so", &[], ""),
    ("nvidia/cu13/lib/libcublasLt.so.13", &[], "libnvrtc.so.13"),
    ("nvidia/cu13/lib/libcublas.so.13", &["libcublasLt.so.13"], ""),
    ("nvidia/cudnn/lib/libcudnn_ops.so.9", &[], ""),
    ("nvidia/cudnn/lib/libcudnn.so.9", &[], "libcudnn_ops.so"),
    ("torch/lib/libtorch_cuda.so", &["libtorch_cpu.so", "libcublas.so.13", "libcudnn.so.9"], ""),
    ("nvidia/cu13/lib/libnvJitLink.so.13", &[], ""),
    ("nvidia/cu13/lib/libcusolver.so.12", &["libnvJitLink.so.13", "libcublas.so.13"], ""),
    ("nvidia/cu13/lib/libcusolverMg.so.12", &["libcublas.so.13"], ""),
    ("torch/lib/libtorch_cuda_linalg.so", &["libtorch_cuda.so", "libcusolver.so.12"], ""),
    ("nvidia/cu13/lib/libnvrtc-builtins.so.13.0", &[], ""),
    ("nvidia/cu13/lib/libnvrtc.so.13", &[], "libnvrtc-builtins.so.13.0"),
    ("torch/lib/libcaffe2_nvrtc.so", &["libnvrtc.so.13"], ""),
];

struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let fake = Self { folder: tempfile::tempdir().unwrap() };
        for (path, needs, names) in LIBRARIES {
            fake.library(path, needs, names);
        }
        fs::write(fake.path("torch/version.py"), "__version__ = '2.11.0+cu130'\n").unwrap();
        fake.library("bd", &["libtorch_cpu.so"], "");
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A library with nothing in it but a text, linked to others that are there.
    fn library(&self, path: &str, needs: &[&str], names: &str) {
        self.compile(path, needs, &format!("const char *names = \"{names}\";"));
    }

    fn compile(&self, path: &str, needs: &[&str], text: &str) {
        let (file, source) = (self.path(path), self.path("source.c"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&source, text).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-nostdlib", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o"])
            .arg(&file)
            .arg(&source);
        cc.arg(format!("-Wl,-soname,{}", Path::new(path).file_name().unwrap().to_string_lossy()));
        cc.args(needs.iter().map(|need| self.path(LIBRARIES.iter().find(|row| row.0.ends_with(need)).unwrap().0)));
        succeeds(&mut cc);
    }

    fn gather(&self, flavour: &str) -> Output {
        let mut root = Command::new(checkout().join("docker/root"));
        root.arg(flavour).arg(self.path("root")).arg(self.path("bd")).env("LIBTORCH", self.path("torch"));
        root.output().unwrap()
    }

    /// Name and reason of what is kept.
    #[track_caller]
    fn kept(&self, flavour: &str) -> Vec<(String, String)> {
        let output = self.gather(flavour);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && words.is_empty(), "{words}");
        let mut kept = kept_in(&String::from_utf8(output.stdout).unwrap());
        kept.sort_by(|one, two| one.1.cmp(&two.1));
        kept.into_iter().map(|(_, name, reason)| (name, reason)).collect()
    }

    #[track_caller]
    fn refused(&self, flavour: &str, words: &str) {
        let output = self.gather(flavour);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{words:?} not in {said:?}");
    }
}

#[test]
fn an_image_for_cpus_gets_what_bd_needs() {
    let fake = Fake::new();
    let kept = fake.kept("cpu");
    let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["bd", "libc10.so", "libcudart.so.13", "libtorch_cpu.so"]);
    assert_eq!(kept[2].1, "needed by libtorch_cpu.so");
    let version = fs::read_to_string(fake.path("root/opt/bd/build-version")).unwrap();
    assert_eq!(version.trim(), "2.11.0+cu130");
}

/// cusolver, which ridge regression needs, by way of a library that is opened by name; not what only cuDNN's calls would open.
#[test]
fn an_image_for_gpus_gets_what_is_opened_and_what_that_needs() {
    let fake = Fake::new();
    let kept = fake.kept("cuda");
    let reason = |name: &str| kept.iter().find(|row| row.0 == name).map(|row| row.1.as_str());
    assert_eq!(reason("libcusolver.so.12"), Some("needed by libtorch_cuda_linalg.so"));
    assert_eq!(reason("libnvJitLink.so.13"), Some("needed by libcusolver.so.12"));
    assert_eq!(reason("libcudnn.so.9"), Some("needed by libtorch_cuda.so"));
    assert!(reason("libtorch_cuda_linalg.so").unwrap().contains("ridge"));
    for left in ["libcudnn_ops.so.9", "libcusolverMg.so.12", "libtorch.so"] {
        assert_eq!(reason(left), None, "{left}");
    }
    let files = fs::read_dir(fake.path("root/opt/bd/lib")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let kept = kept.into_iter().map(|(name, _)| name).filter(|name| name != "bd");
    assert_eq!(files, kept.collect::<Vec<_>>());
}

#[test]
fn what_is_needed_and_nowhere_is_an_error() {
    let fake = Fake::new();
    fs::remove_file(fake.path("nvidia/cu13/lib/libnvJitLink.so.13")).unwrap();
    fake.refused("cuda", "libcusolver.so.12 needs libnvJitLink.so.13, which is nowhere");
    fs::remove_file(fake.path("torch/lib/libtorch_cuda_linalg.so")).unwrap();
    fake.refused("cuda", "run scripts/libtorch --cuda");
    assert_eq!(fake.kept("cpu").len(), 4);
}

#[test]
fn a_name_in_a_library_that_nothing_is_said_about_is_an_error() {
    let fake = Fake::new();
    fake.library("torch/lib/libplugin.so.2", &[], "");
    fake.kept("cpu"); // nothing names it
    fake.library("torch/lib/libc10.so", &[], "libplugin.so");
    fake.refused("cpu", "libc10.so names libplugin.so.2, which nothing needs");
}

/// A program that calls what cuDNN computes needs the parts of cuDNN that are left out.
#[test]
fn a_call_of_what_is_left_out_is_an_error() {
    let fake = Fake::new();
    let calls = |name: &str| format!("extern void f(void) __asm__(\"{name}\"); void g(void) {{ f(); }}");
    fake.compile("bd", &["libtorch_cpu.so"], &calls("_ZN2at4_ops10linalg_svd4callERKNS_6TensorE"));
    fake.kept("cuda");
    fake.compile("bd", &["libtorch_cpu.so"], &calls("_ZN2at4_ops11convolution4callERKNS_6TensorE"));
    fake.refused("cuda", "bd calls convolution");
    fake.kept("cpu");
}
