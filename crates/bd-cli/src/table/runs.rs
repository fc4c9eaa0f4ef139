//! The table of runs.

use bd_run::record::RunRow;

const HEAD: [&str; 6] = ["run", "job", "begun (UTC)", "state", "result", "seconds"];

/// A row for each run; below it what is wrong with it.
pub(crate) fn of_runs(rows: &[RunRow]) -> String {
    let mut table = vec![HEAD.map(str::to_owned)];
    table.extend(rows.iter().map(cells));
    let width = |i: usize| table.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; HEAD.len()]| {
        let cell = |(i, text): (usize, &String)| {
            let width = widths[i];
            if i + 1 == HEAD.len() { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ")
    };
    let mut lines = vec![line(&table[0])];
    for (cells, row) in table[1..].iter().zip(rows) {
        lines.push(line(cells).trim_end().to_owned());
        lines.extend(row.problem.iter().map(|problem| format!("  ! {problem}")));
    }
    lines.join("\n")
}

fn cells(row: &RunRow) -> [String; HEAD.len()] {
    // 2026-11-29T10:51:16Z, to the minute.
    let begun =
        row.started.as_ref().map_or(String::new(), |time| time.chars().take(16).collect::<String>().replace('T', " "));
    let seconds = row.seconds.map_or(String::new(), words_of);
    [row.name.clone(), row.job.clone(), begun, row.state_words(), row.metric_words(), seconds]
}

/// A manifest has whole seconds, so that a short run may have none.
fn words_of(seconds: f64) -> String {
    match seconds {
        none if none < 0.05 => "< 1".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole}"),
        part => format!("{part:.1}"),
    }
}
