//! Pages of Markdown: code blocks, links and the anchors of headings.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A fenced block of code.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<Block>,
    /// Targets of links and images, as they are written.
    pub(crate) links: Vec<String>,
    /// Anchors of the headings, in order.
    pub(crate) anchors: Vec<String>,
}

/// The checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the checkout that users or contributors read.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = markdown_in(root(), false);
    for folder in ["docs", "docker", "tests", "crates", ".github"] {
        paths.extend(markdown_in(&root().join(folder), true));
    }
    paths.into_iter().map(Page::read).collect()
}

fn markdown_in(folder: &Path, recursive: bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && recursive {
            found.extend(markdown_in(&path, true));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Without `.` and `..`.
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        let mut page = Self { path, blocks: Vec::new(), links: Vec::new(), anchors: Vec::new() };
        let mut heading: Option<String> = None;
        let mut block: Option<Block> = None;
        let mut seen = HashMap::new();
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into())
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(|it| anchor(&it, &mut seen))),
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    block = Some(Block { info: info.into(), text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(into) = block.as_mut().map(|block| &mut block.text).or(heading.as_mut()) {
                        into.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }
}

/// The anchor that GitHub and mdBook give a heading: lower case, letters, digits, `-` and `_` kept, spaces as `-`; the second
/// one of a name ends in `-1`.
fn anchor(heading: &str, seen: &mut HashMap<String, usize>) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
    let before = seen.entry(name.clone()).or_insert(0);
    *before += 1;
    if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
}

#[test]
fn anchors_are_those_of_github() {
    let mut seen = HashMap::new();
    let mut of = |heading| anchor(heading, &mut seen);
    assert_eq!(of("Signals and other ends"), "signals-and-other-ends");
    assert_eq!(of("tch 0.24.0, not `VarStore`"), "tch-0240-not-varstore");
    assert_eq!(of("A system"), "a-system");
    assert_eq!(of("A system"), "a-system-1");
}
