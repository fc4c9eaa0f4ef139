//! How a text is written: its encoding, what separates its fields, and its decimal sign.

use super::number::{MARKS, without_thousands};

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

/// The first of the separators that the first line has outside of quotes. Where it has none, there is one column.
pub(super) fn separator(content: &[u8]) -> u8 {
    let mut lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with(b"#")).unwrap_or_default();
    let is_there = |separator: &u8| outside_of_quotes(line).any(|(_, byte)| byte == *separator);
    SEPARATORS.into_iter().find(is_there).unwrap_or(b',')
}

/// The bytes outside of double quotes, with their places.
pub(super) fn outside_of_quotes(line: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut quoted = false;
    line.iter().copied().enumerate().filter(move |(_, byte)| {
        quoted ^= *byte == b'"';
        !quoted
    })
}

/// Whether numbers have a comma where others have a point: one at least has, and none a point, but between thousands. A point before
/// three digits may be either.
pub(super) fn decimal_commas(content: &str) -> bool {
    let (mut has_comma, mut has_point) = (false, false);
    let lines = content.lines().filter(|line| !line.starts_with('#'));
    for field in lines.flat_map(|line| line.split(['\t', ';', ' ', '"'])) {
        let digits = field.trim_start_matches(['-', '+']);
        let Some(at) = digits.find(['.', ',']) else { continue };
        let (before, after) = (&digits[..at], &digits[at + 1..]);
        let is_whole = !before.is_empty() && before.chars().all(|c| c.is_ascii_digit() || MARKS.contains(&c));
        if !is_whole || !after.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        match (digits.as_bytes()[at], after.contains(['.', ','])) {
            // 1.234,5 or 1.234.567, and not 31.01.2024.
            (b'.', true) if without_thousands(field, ',').is_some() => return true,
            (b'.', true) => {}
            (b'.', false) if after.len() == 3 => has_point = true,
            // 1.5, 1,234.5 or 1,234,567.
            (b'.', false) | (_, true) => return false,
            _ => has_comma = true,
        }
    }
    has_comma && !has_point
}
