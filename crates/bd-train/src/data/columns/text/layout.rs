//! How a text is written: its encoding, what separates its fields, and its decimal sign.

/// A comma may be a decimal comma where there is a tab or a semicolon, and a space may follow any of them.
const SEPARATORS: [u8; 4] = *b"\t;, ";

/// As UTF-8, of UTF-16 too where a mark says that it is.
pub(super) fn utf8(content: Vec<u8>) -> Result<Vec<u8>, String> {
    let units =
        |of: fn([u8; 2]) -> u16| content[2..].as_chunks::<2>().0.iter().map(|pair| of(*pair)).collect::<Vec<_>>();
    let units = match content.get(..2) {
        Some([0xff, 0xfe]) => units(u16::from_le_bytes),
        Some([0xfe, 0xff]) => units(u16::from_be_bytes),
        _ => return Ok(content),
    };
    String::from_utf16(&units).map(String::into_bytes).map_err(|_| "it begins as UTF-16 text and is none".into())
}

/// With the line ends of old Macintosh programs, which are all that ends a line, as others have them: csv ends no remark by them.
pub(super) fn end_lines(content: &mut [u8]) {
    if !content.contains(&b'\n') {
        content.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
    }
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
    let mut quoted = false;
    let outside: Vec<u8> = line
        .iter()
        .copied()
        .filter(|&byte| {
            quoted ^= byte == b'"';
            !quoted
        })
        .collect();
    SEPARATORS.into_iter().find(|separator| outside.contains(separator)).unwrap_or(b',')
}

/// Whether numbers have a comma where others have a point: one at least has, and none a point.
pub(super) fn decimal_commas(content: &[u8]) -> bool {
    let fields = content.split(|byte| b"\t; \r\n\"".contains(byte));
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut found = false;
    for field in fields {
        let field = field.strip_prefix(b"-").unwrap_or(field);
        let Some(at) = field.iter().position(|byte| b".,".contains(byte)) else { continue };
        if digits(&field[..at]) && field.get(at + 1).is_some_and(u8::is_ascii_digit) {
            // A point, or commas of thousands.
            if field[at] == b'.' || field[at + 1..].iter().any(|byte| b".,".contains(byte)) {
                return false;
            }
            found = true;
        }
    }
    found
}
