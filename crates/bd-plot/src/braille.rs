//! [`braille`]: a curve in characters, for a terminal.

/// Dots of a character, side by side and one above the other.
const DOTS: [usize; 2] = [2, 4];

/// Bits of the dots of a character behind U+2800, by column and row from the top.
const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// A curve of equally spaced values in `height` lines of `width` characters of braille, each of which has two dots by four. Its least
/// value lies in the lowest row of dots, its greatest in the highest; a curve that is constant lies in the lowest. Between its dots it is
/// drawn as a line. Values that are infinite or not a number are gaps.
///
/// ```
/// let rise: Vec<f64> = (0..8).map(f64::from).collect();
/// assert_eq!(bd_plot::braille(&rise, 4, 2), ["⠀⠀⡠⠊", "⡠⠊⠀⠀"]);
/// ```
pub fn braille(values: &[f64], width: usize, height: usize) -> Vec<String> {
    let [columns, rows] = [width * DOTS[0], height * DOTS[1]];
    let mut cells = vec![vec![0u32; width]; height];
    let [bottom, top] = range(values).unwrap_or([0.0; 2]);
    let row = |value: f64| match top > bottom {
        true => ((value - bottom) / (top - bottom) * (rows - 1) as f64).round() as usize,
        false => 0,
    };
    let mut before: Option<usize> = None;
    for column in 0..columns {
        let part = &values[of_column(values.len(), columns, column)];
        let Some(range) = range(part) else {
            before = None;
            continue;
        };
        let [mut low, mut high] = range.map(row);
        // What rises or falls fast is a line: on from the dot of the column before.
        match before {
            Some(before) if before < low => low = before + 1,
            Some(before) if before > high => high = before - 1,
            _ => {}
        }
        for dot in (low..=high).map(|dot| rows - 1 - dot) {
            cells[dot / DOTS[1]][column / DOTS[0]] |= BITS[column % DOTS[0]][dot % DOTS[1]];
        }
        before = part.iter().rev().find(|value| value.is_finite()).map(|value| row(*value));
    }
    let character = |bits: &u32| char::from_u32(0x2800 + bits).unwrap_or(' ');
    cells.iter().map(|line| line.iter().map(character).collect()).collect()
}

/// The least and the greatest of the values that are numbers.
fn range(values: &[f64]) -> Option<[f64; 2]> {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    finite.fold(None, |range, value| match range {
        None => Some([value; 2]),
        Some([least, greatest]) => Some([value.min(least), value.max(greatest)]),
    })
}

/// Which of `count` values stand in a column; of fewer values than columns each stands in several.
fn of_column(count: usize, columns: usize, column: usize) -> std::ops::Range<usize> {
    let start = column * count / columns;
    start..((column + 1) * count / columns).max(start + 1).min(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: dots 1, 2, 3, 7 of a character stand below each other at the left, 4, 5, 6, 8 at the right.
    #[test]
    fn dots_are_where_values_are() {
        assert_eq!(braille(&[0.0, 3.0], 1, 1), ["⡸"]);
        assert_eq!(braille(&[0.0, 1.0], 2, 2), ["⠀⡏", "⣀⠇"]);
        assert_eq!(braille(&[1.0; 9], 3, 1), ["⣀⣀⣀"]);
        assert_eq!(braille(&[], 2, 1), ["⠀⠀"]);
        assert_eq!(braille(&[0.0, f64::NAN, f64::INFINITY, 0.0], 2, 1), ["⡀⢀"]);
    }
}
