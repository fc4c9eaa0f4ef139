//! Sparse matrices as `scipy.sparse.save_npz` writes them.

use bd_core::Result;
use bd_networks::EdgeList;

use super::Synapses;
use super::table::Table;

/// Synapses of a matrix in the format `csr`, `csc` or `coo`, whose rows are sources; nothing if the file is no sparse matrix.
pub(super) fn read(table: &Table) -> Result<Option<Synapses>> {
    if !table.has("format") || !table.has("shape") {
        return Ok(None);
    }
    let format = table.text("format").and_then(|text| text.items.first()).map_or("", String::as_str);
    let shape = table.numbers_of_neurons("shape")?;
    let &[rows, columns] = &shape[..] else {
        return Err(table.bad(format!("its shape is {shape:?}; a matrix of synapses has two dimensions")));
    };
    let shape = [rows as usize, columns as usize];
    let (sources, targets) = match format {
        "csr" => compressed(table, shape[0])?,
        "csc" => {
            let (targets, sources) = compressed(table, shape[1])?;
            (sources, targets)
        }
        "coo" => (table.numbers_of_neurons("row")?, table.numbers_of_neurons("col")?),
        other => {
            let reason = format!(
                "it is a sparse matrix in the format '{other}'; save it as csr, csc or coo: save_npz(file, matrix.tocsr())"
            );
            return Err(table.bad(reason));
        }
    };
    let weights = table.numbers("data")?;
    table.same_length("data", weights.len(), "row", sources.len())?;
    table.same_length("data", weights.len(), "column", targets.len())?;
    for (what, numbers, size) in [("row", &sources, shape[0]), ("column", &targets, shape[1])] {
        if let Some(at) = numbers.iter().position(|number| *number as usize >= size) {
            return Err(table.bad(format!("entry {} is in {what} {}, and there are {size}", at + 1, numbers[at])));
        }
    }
    let list = EdgeList { sources, targets, weights: Some(weights), delays_ms: None };
    Ok(Some(Synapses { list, shape: Some(shape) }))
}

/// Of each entry the row and the column of a matrix by rows; or the column and the row of one by columns.
fn compressed(table: &Table, rows: usize) -> Result<(Vec<u32>, Vec<u32>)> {
    let (begins, inner) = (table.numbers_of_neurons("indptr")?, table.numbers_of_neurons("indices")?);
    let fits = begins.len() == rows + 1 && begins.first() == Some(&0) && begins.is_sorted();
    if !fits || begins[rows] as usize != inner.len() {
        let reason =
            format!("indptr must have {} numbers that rise from 0 to {}, the length of indices", rows + 1, inner.len());
        return Err(table.bad(reason));
    }
    let outer = begins.windows(2).enumerate();
    let outer = outer.flat_map(|(row, bounds)| std::iter::repeat_n(row as u32, (bounds[1] - bounds[0]) as usize));
    Ok((outer.collect(), inner))
}
