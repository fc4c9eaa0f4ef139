//! Tables of a report.

use bd_core::text::short;

/// A table with its words above it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
    /// Whether it is the best of all, or the run itself among others.
    pub(crate) is_marked: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) is_number: bool,
    pub(crate) is_best: bool,
    /// Where in the page its words lead; empty for nowhere.
    pub(crate) link: String,
}

impl Cell {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// With four digits.
    pub(crate) fn number(value: impl Into<Option<f64>>) -> Self {
        let text = value.into().map_or("–".to_owned(), short);
        Self { text, is_number: true, ..Self::default() }
    }

    /// To the tenth.
    pub(crate) fn seconds(seconds: Option<f64>) -> Self {
        Self::count(seconds.map_or("–".to_owned(), |seconds| format!("{seconds:.1}")))
    }

    /// A whole number, or another text that stands as numbers do.
    pub(crate) fn count(text: impl ToString) -> Self {
        Self { text: text.to_string(), is_number: true, ..Self::default() }
    }
}

impl Table {
    pub(crate) fn new(caption: impl Into<String>, head: &[&str]) -> Self {
        Self { caption: caption.into(), head: head.iter().map(|word| (*word).to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells, is_marked: false });
    }

    pub(crate) fn push_marked(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells, is_marked: true });
    }
}
