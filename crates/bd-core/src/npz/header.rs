//! The header of an `.npy` file: a literal of a Python dictionary with three keys.

use super::DTYPES;
use crate::stored::Stored;

/// libtorch's and numpy's own limit.
const MAX_DIMS: usize = 64;

/// What the elements of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Number(Stored),
    /// Text of so many code points of four bytes, filled up with zeros: numpy's `U`.
    Unicode(u32),
    /// Text of so many bytes, filled up with zeros: numpy's `S`.
    Bytes(u32),
}

impl Element {
    /// Bytes of one element.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Number(stored) => stored.size(),
            Self::Unicode(length) => 4 * length as usize,
            Self::Bytes(length) => length as usize,
        }
    }

    /// Bytes of what has a byte order.
    pub(super) fn unit(self) -> usize {
        match self {
            Self::Number(stored) => stored.size(),
            Self::Unicode(_) => 4,
            Self::Bytes(_) => 1,
        }
    }
}

/// What the header says of the data.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) element: Element,
    /// Whether the first byte of a number is the greatest.
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<i64>,
    /// Length of the data.
    pub(super) bytes: u64,
}

impl Header {
    /// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`. The error is a sentence without its subject.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut scan = Scanner(text);
        scan.expect('{')?;
        let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
        while !scan.eat('}') {
            let key = scan.string()?;
            scan.expect(':')?;
            match key {
                "descr" => dtype = Some(scan.dtype()?),
                "fortran_order" => fortran_order = Some(scan.truth()?),
                "shape" => shape = Some(scan.shape()?),
                other => return Err(format!("its header has the unknown key {}", quoted(other))),
            }
            if !scan.eat(',') {
                scan.expect('}')?;
                break;
            }
        }
        if !scan.0.trim().is_empty() {
            return Err(format!("its header goes on after its end: {}", quoted(scan.0)));
        }
        let (Some((element, big_endian)), Some(fortran_order), Some(shape)) = (dtype, fortran_order, shape) else {
            return Err("its header lacks one of descr, fortran_order and shape".into());
        };
        let bytes = data_bytes(element, &shape)?;
        Ok(Self { element, big_endian, fortran_order, shape, bytes })
    }
}

/// The product of the dimensions times the size of an element. An array with no element must have strides that can be
/// computed, too: its zeros count as ones for the limit.
fn data_bytes(element: Element, shape: &[i64]) -> Result<u64, String> {
    if shape.len() > MAX_DIMS {
        return Err(format!("it has {} dimensions; at most {MAX_DIMS} can be read", shape.len()));
    }
    let product = shape.iter().try_fold(element.size() as i64, |bytes, &n| bytes.checked_mul(n.max(1)));
    let bytes = product.ok_or_else(|| format!("its shape {shape:?} is too large for any memory"))?;
    Ok(if shape.contains(&0) { 0 } else { bytes as u64 })
}

/// What the elements are, and whether they are big-endian.
fn dtype_of(descr: &str) -> Result<(Element, bool), String> {
    let (order, code) = match descr.chars().next() {
        Some(order @ ('<' | '>' | '=' | '|')) => (order, &descr[1..]),
        _ => (' ', descr),
    };
    if code.starts_with('O') {
        return Err("it holds Python objects, which only pickle can read, and pickle can run any code: they are \
                    refused always. Save the array with a numeric dtype, for example array.astype('float64'), and \
                    sequences of several lengths padded to one; spikes of several samples as times, units and offsets \
                    (docs/your-data.md)"
            .into());
    }
    if code.starts_with(['M', 'm']) {
        return Err("it holds dates; save seconds as floats, (t - t[0]) / numpy.timedelta64(1, 's')".into());
    }
    let length = |kind: char| code.strip_prefix(kind)?.parse().ok().filter(|length| *length > 0);
    match (order, length('U'), length('S')) {
        ('<' | '=' | '>', Some(length), _) => return Ok((Element::Unicode(length), order == '>')),
        ('|', _, Some(length)) => return Ok((Element::Bytes(length), false)),
        _ => {}
    }
    let known = DTYPES.iter().find(|(known, _)| *known == code);
    match (order, known) {
        ('<' | '=' | '|' | '>', Some((_, stored))) => Ok((Element::Number(*stored), order == '>')),
        _ => Err(format!(
            "its dtype is {}; floats of 16 to 64 bits, whole numbers, bool and text can be read",
            quoted(descr)
        )),
    }
}

/// What is left of the text.
struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    fn eat(&mut self, wanted: char) -> bool {
        self.0 = self.0.trim_start();
        let rest = self.0.strip_prefix(wanted);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(self.unexpected(&format!("{wanted:?}"))) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("its header has {} where {wanted} should be", quoted(self.0))
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = ['\'', '"'].into_iter().find(|&quote| self.eat(quote));
        let Some((text, rest)) = quote.and_then(|quote| self.0.split_once(quote)) else {
            return Err(self.unexpected("a string"));
        };
        self.0 = rest;
        Ok(text)
    }

    fn dtype(&mut self) -> Result<(Element, bool), String> {
        if self.eat('[') {
            return Err("its elements are records of several fields; save each field as an array of its own: \
                        numpy.savez(file, **{name: a[name] for name in a.dtype.names})"
                .into());
        }
        dtype_of(self.string()?)
    }

    /// The letters and digits that come next, perhaps none.
    fn word(&mut self) -> &'a str {
        self.0 = self.0.trim_start();
        let end = self.0.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    fn truth(&mut self) -> Result<bool, String> {
        match self.word() {
            "True" => Ok(true),
            "False" => Ok(false),
            other => Err(format!("its fortran_order is {}, neither True nor False", quoted(other))),
        }
    }

    /// `()`, `(3,)`, `(3, 2)`. To Python `(3)` is a number, not a tuple.
    fn shape(&mut self) -> Result<Vec<i64>, String> {
        self.expect('(')?;
        let mut shape = Vec::new();
        while !self.eat(')') {
            let word = self.word();
            // Python 2 wrote long numbers as 3L.
            let n = word
                .strip_suffix('L')
                .unwrap_or(word)
                .parse()
                .map_err(|_| format!("its shape has {}, not a size", quoted(word)))?;
            shape.push(n);
            if !self.eat(',') {
                self.expect(')')?;
                if shape.len() == 1 {
                    return Err(format!("its shape is the number {n}, not a tuple"));
                }
                break;
            }
        }
        Ok(shape)
    }
}

/// The start of a text from the file, safe to print.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 30;
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}{}", if start.len() < text.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_header() {
        let stored = Stored::As(tch::Kind::Int);
        let expected = Header {
            element: Element::Number(stored),
            big_endian: false,
            fortran_order: true,
            shape: vec![3, 2],
            bytes: 24,
        };
        for text in [
            "{'descr': '<i4', 'fortran_order': True, 'shape': (3, 2), }   \n",
            "{\"shape\":(3,2,),\"descr\":\"=i4\",\"fortran_order\":True}",
            "{'descr': '<i4', 'fortran_order': True, 'shape': (3L, 2L)}",
            " { 'fortran_order' : True , 'shape' : ( 3 , 2 ) , 'descr' : '|i4' } ",
        ] {
            assert_eq!(Header::parse(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn text_has_a_length_and_perhaps_an_order() {
        for (descr, element, big_endian, bytes) in [
            ("<U5", Element::Unicode(5), false, 40),
            (">U5", Element::Unicode(5), true, 40),
            ("|S3", Element::Bytes(3), false, 6),
        ] {
            let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,)}}");
            let expected = Header { element, big_endian, fortran_order: false, shape: vec![2], bytes };
            assert_eq!(Header::parse(&text), Ok(expected));
        }
    }

    #[test]
    fn headers_that_are_refused_say_what_is_wrong() {
        let with = |descr: &str, shape: &str| {
            Header::parse(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")).unwrap_err()
        };
        for (descr, words) in [
            ("'|O'", "holds Python objects"),
            ("'<U0'", "dtype is \"<U0\"; floats of 16 to 64 bits"),
            ("'<f16'", "dtype is \"<f16\""),
            ("'f4'", "dtype is \"f4\""),
            ("'<M8[ns]'", "it holds dates; save seconds as floats"),
            ("'<c8'", "dtype is \"<c8\""),
            ("''", "dtype is \"\""),
            ("'\u{1b}[31m'", "dtype is \"\\u{1b}[31m\""),
            ("[('x', '<f4')]", "records of several fields"),
            ("None", "\"None, 'fortran_order': False, \"... where a string should be"),
        ] {
            let message = with(descr, "(2,)");
            assert!(message.contains(words), "{descr}: {message}");
        }
        for (shape, words) in [
            ("(3)", "the number 3, not a tuple"),
            ("(-3,)", "has \"\", not a size"),
            ("(3.0, 2)", "where ')' should be"),
            ("(99999999999999999999,)", "not a size"),
            ("(4294967296, 4294967296)", "too large for any memory"),
            ("(0, 9223372036854775807)", "too large for any memory"),
            (&format!("({})", "1,".repeat(65)), "65 dimensions; at most 64"),
            ("[3, 2]", "where '(' should be"),
        ] {
            let message = with("'<f4'", shape);
            assert!(message.contains(words), "{shape}: {message}");
        }
        for (text, words) in [
            ("", "has \"\" where '{' should be"),
            ("{'descr': '<f4', 'shape': (2,)}", "lacks one of"),
            ("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "neither True nor False"),
            ("{'size': 3}", "unknown key \"size\""),
            ("{'descr", "where a string should be"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} or 1", "goes on after its end"),
        ] {
            let message = Header::parse(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
