//! How often each class was taken for each.

use crate::words::shorten;
use crate::{Cell, Figure, Panel};

/// Classes that are drawn: of more the counts cannot be read.
pub const MOST_CLASSES: usize = 40;
/// Characters of a name on the axes.
const MOST_CHARACTERS: usize = 18;
/// Side of a cell, and what is at least and at most shown of all, in pixels as shown.
const CELL: u32 = 64;
const SIDES: (u32, u32) = (300, 660);

/// A confusion matrix: `counts[c][d]` samples of class `c` were taken for class `d`. A row is what it was, the first class on top; a
/// column is what it was taken for. A cell has its count, none where that is 0, and the shade of its share of the row.
///
/// `None` without classes, of more than [`MOST_CLASSES`], and where names and counts are not as many.
pub fn figure(title: &str, names: &[String], counts: &[Vec<i64>]) -> Option<Figure> {
    let n = counts.len();
    let fits = (1..=MOST_CLASSES).contains(&n) && names.len() == n && counts.iter().all(|row| row.len() == n);
    let panel = fits.then(|| panel(names, counts))?;
    Some(Figure {
        title: title.into(),
        x_label: "taken for (shade: share of the row)".into(),
        panels: vec![panel],
        panel_height: (n as u32 * CELL).clamp(SIDES.0, SIDES.1),
        squares: true,
        ..Figure::default()
    })
}

fn panel(names: &[String], counts: &[Vec<i64>]) -> Panel {
    let n = counts.len();
    let height = |class: usize| (n - 1 - class) as f64;
    let names: Vec<String> = names.iter().map(|name| shorten(name, MOST_CHARACTERS)).collect();
    let ticks = |place: &dyn Fn(usize) -> f64| {
        Some(names.iter().enumerate().map(|(class, name)| (place(class), name.clone())).collect())
    };
    let row = |(class, row): (usize, &Vec<i64>)| {
        let all = row.iter().sum::<i64>().max(1) as f64;
        let cell = move |(taken_for, &count): (usize, &i64)| Cell {
            at: (taken_for as f64, height(class)),
            shade: count as f64 / all,
            words: if count == 0 { String::new() } else { count.to_string() },
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>()
    };
    let range = Some(-0.5..n as f64 - 0.5);
    Panel {
        y_label: "class".into(),
        x_range: range.clone(),
        y_range: range,
        x_ticks: ticks(&|class| class as f64),
        y_ticks: ticks(&height),
        cells: counts.iter().enumerate().flat_map(row).collect(),
        ..Panel::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn rows_are_what_it_was_from_the_top_and_shades_are_shares_of_them() {
        let figure = figure("", &names(3), &[vec![6, 2, 0], vec![0, 5, 0], vec![0, 0, 0]]).unwrap();
        let panel = &figure.panels[0];
        let cell = |class: usize, taken_for: usize| &panel.cells[class * 3 + taken_for];
        assert_eq!((cell(0, 1).at, cell(0, 1).shade, cell(0, 1).words.as_str()), ((1.0, 2.0), 0.25, "2"));
        assert_eq!((cell(0, 0).at, cell(0, 0).shade), ((0.0, 2.0), 0.75));
        assert_eq!((cell(1, 1).shade, cell(1, 0).words.as_str()), (1.0, ""));
        assert!(panel.cells[6..].iter().all(|cell| cell.shade == 0.0 && cell.at.1 == 0.0), "a class without samples");
        assert_eq!(panel.x_ticks.as_ref().unwrap()[2], (2.0, "class 2".to_owned()));
        assert_eq!(panel.y_ticks.as_ref().unwrap()[2], (0.0, "class 2".to_owned()));
        assert_eq!((panel.x_range.clone(), panel.y_range.clone()), (Some(-0.5..2.5), Some(-0.5..2.5)));
    }

    #[test]
    fn too_many_classes_and_tables_that_are_no_squares_have_no_figure() {
        for (named, rows, columns) in [(0, 0, 0), (41, 41, 41), (2, 3, 3), (3, 3, 2)] {
            assert_eq!(figure("", &names(named), &vec![vec![1; columns]; rows]), None, "{named} {rows} {columns}");
        }
        let most = figure("most", &names(MOST_CLASSES), &vec![vec![12_345; MOST_CLASSES]; MOST_CLASSES]).unwrap();
        assert!(most.to_svg().unwrap().contains("12345"));
        most.to_png().unwrap();
    }

    #[test]
    fn long_names_are_shortened() {
        let names = vec!["a name without an end".to_owned(), "b".to_owned()];
        let svg = figure("", &names, &[vec![1, 0], vec![0, 1]]).unwrap().to_svg().unwrap();
        assert_eq!(svg.matches("a name wi…t an end").count(), 2, "on both axes");
    }
}
