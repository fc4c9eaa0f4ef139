//! Which columns of a text have decimal commas.

use csv::StringRecord;

use super::number::{spelled, unquoted};
use super::records::reader;

/// The decimal sign of each column.
#[derive(Debug, Default)]
pub(super) struct Decimals {
    commas: Vec<bool>,
    /// Whether other columns have decimal points.
    pub(super) are_mixed: bool,
}

impl Decimals {
    /// Of a text whose fields are not separated by commas.
    pub(super) fn of(content: &[u8], separator: u8) -> Self {
        if separator == b',' || !content.contains(&b',') {
            return Self::default();
        }
        let (mut reader, mut record) = (reader(content, separator), StringRecord::new());
        let mut seen: Vec<Seen> = Vec::new();
        while reader.read_record(&mut record).is_ok_and(|is_there| is_there) {
            seen.resize(seen.len().max(record.len()), Seen::default());
            seen.iter_mut().zip(&record).for_each(|(seen, field)| seen.add(field));
        }
        let are_mixed = seen.iter().any(|seen| seen.point);
        let has_commas = seen.iter().any(|seen| seen.is_of_commas(are_mixed));
        // What is 1.234 or 1234 beside decimal commas is no number, and refused as one.
        let is_comma = |seen: &Seen| seen.is_of_commas(are_mixed) || (has_commas && seen.thousand_points);
        Self { commas: seen.iter().map(is_comma).collect(), are_mixed }
    }

    /// Whether this column has decimal commas.
    pub(super) fn are_commas(&self, column: usize) -> bool {
        self.commas.get(column).is_some_and(|is_comma| *is_comma)
    }

    /// Whether any column has.
    pub(super) fn has_commas(&self) -> bool {
        self.commas.contains(&true)
    }
}

/// What a column has seen among the fields that are numbers as a whole.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// 1,5
    comma: bool,
    /// 1,234
    thousand_comma: bool,
    /// 1.234,5 or 1.234.567
    clear_comma: bool,
    /// 1.5, 1,234.5 or 1,234,567
    point: bool,
    /// 1.234
    thousand_points: bool,
}

impl Seen {
    fn add(&mut self, field: &str) {
        let [with_point, with_comma] = [false, true].map(|comma| spelled(field, comma).parse::<f64>().is_ok());
        let field = unquoted(field).trim_start_matches(['-', '+', '\u{2212}']);
        match (with_point, with_comma) {
            (true, false) if is_of_thousands(field, '.') => self.thousand_points = true,
            (true, false) => self.point = true,
            (false, true) if field.contains('.') => self.clear_comma = true,
            (false, true) if is_of_thousands(field, ',') => self.thousand_comma = true,
            (false, true) => self.comma = true,
            _ => {}
        }
    }

    /// In a file that has numbers with points in other columns, 1,234 may be 1234.
    fn is_of_commas(&self, are_mixed: bool) -> bool {
        let comma = self.comma || (self.thousand_comma && !are_mixed);
        !self.point && (self.clear_comma || (comma && !self.thousand_points))
    }
}

/// Whether three digits behind the sign may be those behind a mark of thousands.
fn is_of_thousands(field: &str, sign: char) -> bool {
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    field.split_once(sign).is_some_and(|(before, after)| {
        let is_first = (1..=3).contains(&before.len()) && are_digits(before) && !before.starts_with('0');
        is_first && after.len() == 3 && are_digits(after)
    })
}
