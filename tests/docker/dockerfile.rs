//! Reads Dockerfiles as far as ours go. What is not known here is a failure, and never passed over.

use std::fs;
use std::path::{Path, PathBuf};

/// From one `FROM` to the next.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The image, with tag and hash.
    pub(crate) base: String,
    /// What later stages call it.
    pub(crate) name: Option<String>,
    /// Keyword and the rest of the line.
    pub(crate) steps: Vec<(String, String)>,
}

/// Of a `COPY`.
#[derive(Debug)]
pub(crate) struct Copy {
    /// The stage that the sources are of, if not the checkout.
    pub(crate) from: Option<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) target: String,
}

const KEYWORDS: [&str; 9] = ["WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"];

/// The two images that there are.
pub(crate) const FLAVOURS: [&str; 2] = ["cpu", "cuda"];

pub(crate) fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The stages of `docker/<flavour>.Dockerfile`.
pub(crate) fn stages(flavour: &str) -> Vec<Stage> {
    let path = Path::new("docker").join(format!("{flavour}.Dockerfile"));
    parse(&fs::read_to_string(checkout().join(path)).unwrap())
}

fn parse(text: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(!line.ends_with('\\') && !line.contains('$') && !line.contains("<<"), "cannot be read: {line}");
        let (keyword, rest) = line.split_once(' ').unwrap_or_else(|| panic!("nothing follows: {line}"));
        if keyword == "FROM" {
            let words: Vec<_> = rest.split_whitespace().collect();
            let name = match words[..] {
                [_] => None,
                [_, "AS", name] => Some(name.to_owned()),
                _ => panic!("cannot be read: {line}"),
            };
            stages.push(Stage { base: words[0].to_owned(), name, steps: Vec::new() });
        } else {
            assert!(KEYWORDS.contains(&keyword), "unknown: {line}");
            let stage = stages.last_mut().unwrap_or_else(|| panic!("before the first FROM: {line}"));
            stage.steps.push((keyword.to_owned(), rest.trim().to_owned()));
        }
    }
    stages
}

impl Stage {
    /// What follows a keyword, each time that it stands there.
    pub(crate) fn all(&self, keyword: &'static str) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(move |(found, _)| found == keyword).map(|(_, rest)| rest.as_str())
    }

    /// What follows a keyword that stands there once.
    #[track_caller]
    pub(crate) fn one(&self, keyword: &'static str) -> &str {
        let found: Vec<_> = self.all(keyword).collect();
        let [rest] = found[..] else { panic!("{keyword} stands {} times in {self:?}", found.len()) };
        rest
    }

    pub(crate) fn copies(&self) -> Vec<Copy> {
        self.all("COPY").map(copy).collect()
    }

    /// The variables of `ENV`, as `NAME=value`.
    pub(crate) fn variables(&self) -> Vec<&str> {
        self.all("ENV").flat_map(str::split_whitespace).collect()
    }

    /// The words of `ENTRYPOINT` or `CMD`.
    #[track_caller]
    pub(crate) fn words(&self, keyword: &'static str) -> Vec<String> {
        serde_json::from_str(self.one(keyword)).unwrap_or_else(|_| panic!("{keyword} is no list of words"))
    }
}

fn copy(rest: &str) -> Copy {
    let (options, mut paths): (Vec<&str>, Vec<&str>) = rest.split_whitespace().partition(|word| word.starts_with("--"));
    let from = match options[..] {
        [] => None,
        [option] => Some(option.strip_prefix("--from=").unwrap_or_else(|| panic!("unknown: {option}")).to_owned()),
        _ => panic!("cannot be read: COPY {rest}"),
    };
    let target = paths.pop().unwrap_or_else(|| panic!("cannot be read: COPY {rest}")).to_owned();
    assert!(!paths.is_empty(), "cannot be read: COPY {rest}");
    Copy { from, sources: paths.into_iter().map(str::to_owned).collect(), target }
}

#[test]
fn stages_steps_and_copies_are_read() {
    let text = "# c\nFROM a:1@sha256:0 AS one\nCOPY x y z/\n\nFROM b:2\nCOPY --from=one /p/ /\nENV A=1 B=2\nCMD [\"--help\"]\n";
    let stages = parse(text);
    assert_eq!(stages.iter().map(|stage| stage.base.as_str()).collect::<Vec<_>>(), ["a:1@sha256:0", "b:2"]);
    let copy = &stages[0].copies()[0];
    assert_eq!((copy.sources.join(" "), copy.target.as_str(), &copy.from), ("x y".into(), "z/", &None));
    assert_eq!(stages[1].copies()[0].from.as_deref(), stages[0].name.as_deref());
    assert_eq!(stages[1].variables(), ["A=1", "B=2"]);
    assert_eq!(stages[1].words("CMD"), ["--help"]);
    for wrong in ["RUN x", "FROM a\nADD x y", "FROM a\nRUN x \\", "FROM a\nRUN $X", "FROM a\nCOPY --link x y"] {
        assert!(std::panic::catch_unwind(|| parse(wrong).last().map(Stage::copies)).is_err(), "{wrong}");
    }
}
