//! How a text is written: its encoding, what separates its fields, and its decimal sign.

use super::number::{is_missing, spelled, without_thousands};

/// A comma may be a decimal comma where there is a tab or a semicolon, and a space may follow any of them.
pub(super) const SEPARATORS: [u8; 4] = *b"\t;, ";

/// As UTF-8 without a mark: of UTF-16 where a mark says that it is, and of Latin-1 where it is neither. Whether it was Latin-1.
pub(super) fn utf8(mut content: Vec<u8>) -> Result<(Vec<u8>, bool), String> {
    let units =
        |of: fn([u8; 2]) -> u16| content[2..].as_chunks::<2>().0.iter().map(|pair| of(*pair)).collect::<Vec<_>>();
    let units = match content.get(..2) {
        Some([0xff, 0xfe]) => units(u16::from_le_bytes),
        Some([0xfe, 0xff]) => units(u16::from_be_bytes),
        _ if content.starts_with(b"\xef\xbb\xbf") => {
            content.drain(..3);
            return Ok((content, false));
        }
        _ => return of_bytes(content),
    };
    let text = String::from_utf16(&units).map_err(|_| "it begins as UTF-16 text and is none")?;
    Ok((text.into_bytes(), false))
}

/// Zeros are in no text, but in UTF-16 without a mark, in what other programs call their files, and where a computer went down.
fn of_bytes(content: Vec<u8>) -> Result<(Vec<u8>, bool), String> {
    if let Some(at) = content.iter().position(|&byte| byte == 0) {
        let line = 1 + line_ends(&content[..at]);
        return Err(format!("line {line} has a zero byte: it is no text, or UTF-16 without a mark; save it as UTF-8"));
    }
    match str::from_utf8(&content) {
        Ok(_) => Ok((content, false)),
        Err(_) => Ok((content.into_iter().map(char::from).collect::<String>().into_bytes(), true)),
    }
}

/// With the line ends of old Macintosh programs, which are all that ends a line, as others have them: csv ends no remark by them; and
/// without the second `\r` that Windows adds to lines which end in `\r\n` already.
pub(super) fn end_lines(content: &mut Vec<u8>) {
    if !content.contains(&b'\n') {
        content.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
    let ends_twice = |content: &[u8], at: usize| content[at..].starts_with(b"\r\r\n");
    let first_end = content.iter().position(|byte| b"\r\n".contains(byte));
    if first_end.is_some_and(|at| ends_twice(content, at)) {
        let single = (0..content.len()).filter(|&at| !ends_twice(content, at)).map(|at| content[at]).collect();
        *content = single;
    }
}

/// Lines that begin with `%`, as remarks of MATLAB do, as remarks.
pub(super) fn take_percents(content: &mut [u8]) {
    let mut begins = true;
    for byte in content {
        if begins && *byte == b'%' {
            *byte = b'#';
        }
        begins = *byte == b'\n';
    }
}

/// How many lines end in `\n`, `\r\n` or `\r`.
pub(super) fn line_ends(text: &[u8]) -> usize {
    let ends = |(i, byte): (usize, &u8)| *byte == b'\n' || (*byte == b'\r' && text.get(i + 1) != Some(&b'\n'));
    text.iter().enumerate().filter(|&(i, byte)| ends((i, byte))).count()
}

/// Excel's first line `sep=;`, which is made empty: the separator of all lines.
pub(super) fn take_separator_line(content: &mut [u8]) -> Option<u8> {
    let separator = *content.strip_prefix(b"sep=")?.first()?;
    let ends = matches!(content.get(5), None | Some(b'\r' | b'\n'));
    (ends && SEPARATORS.contains(&separator)).then(|| {
        content[..5].copy_from_slice(b"     ");
        separator
    })
}

/// With runs of spaces as one, and none at the ends of lines, so that aligned columns are columns.
pub(super) fn single_spaces(content: &[u8]) -> Vec<u8> {
    let mut single: Vec<u8> = Vec::with_capacity(content.len());
    for &byte in content {
        let after = single.last().copied().unwrap_or(b'\n');
        match byte {
            b' ' if matches!(after, b' ' | b'\n') => {}
            b'\n' | b'\r' if after == b' ' => *single.last_mut().expect("there is a space") = byte,
            _ => single.push(byte),
        }
    }
    if single.last() == Some(&b' ') {
        single.pop();
    }
    single
}

/// The first of the separators that the first line has outside of quotes, but spaces between decimal commas. Where it has none, there is
/// one column, of decimal commas perhaps.
pub(super) fn separator(content: &[u8]) -> u8 {
    let lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let first = lines.next().unwrap_or_default();
    let is_there = |separator: &u8| outside_of_quotes(first).any(|(_, byte)| byte == *separator);
    match SEPARATORS.into_iter().find(is_there) {
        Some(b',') if are_spaced_decimals([first].into_iter().chain(&mut lines)) => b' ',
        None if are_decimals(lines) => b'\t',
        found => found.unwrap_or(b','),
    }
}

fn is_decimal(field: &str) -> bool {
    spelled(field, true).parse::<f64>().is_ok()
}

/// Whether lines are numbers with a decimal comma, or missing, and one at least has a comma.
fn are_decimals<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut has_comma = false;
    let is_entry = |line: &[u8]| {
        has_comma |= line.contains(&b',');
        str::from_utf8(line).is_ok_and(|line| !line.contains('"') && (is_decimal(line) || is_missing(line)))
    };
    lines.all(is_entry) && has_comma
}

/// Whether lines are several numbers with decimal commas, separated by spaces; those of `1 234,1 567` set thousands apart.
fn are_spaced_decimals<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut has_pair = false;
    let is_row = |line: &[u8]| {
        let Ok(line) = str::from_utf8(line) else { return false };
        let is_pair = |field: &str| field.contains(' ') && without_thousands(field, '.').is_none();
        has_pair |= line.split(',').any(|field| is_pair(field.trim()));
        line.contains(' ') && line.split_whitespace().all(is_decimal)
    };
    lines.all(is_row) && has_pair
}

/// The bytes outside of double quotes, with their places.
pub(super) fn outside_of_quotes(line: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut quoted = false;
    line.iter().copied().enumerate().filter(move |(_, byte)| {
        quoted ^= *byte == b'"';
        !quoted
    })
}
