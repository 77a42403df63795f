//! `restripe matrix`: the parity rows of a generator matrix.

use restripe::Mds;

use super::Done;
use crate::args::Matrix;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::folder::manifest::hex;
use crate::report::{MatrixReport, Report};

pub(super) fn run(asked: &Matrix) -> Result<Done> {
    let context = format!("matrix {}", asked.kind.name());
    let rows =
        asked.kind.parity_rows(asked.data, asked.parity).map_err(Failure::engine(context))?;
    let mds = match Mds::of(asked.kind, &rows) {
        Ok(Mds::Proven) => "proven".to_owned(),
        Ok(Mds::Documented) => "documented".to_owned(),
        Ok(_) => "checked".to_owned(),
        Err(error) => {
            eprintln!("restripe: warning: {error}");
            error.to_string()
        }
    };
    let report = MatrixReport {
        kind: asked.kind.name(),
        data_units: asked.data,
        parity_units: asked.parity,
        mds,
        rows: (0..rows.rows()).map(|row| hex(rows.row(row))).collect(),
    };
    Ok(Done::new(Report::Matrix(report), Exit::Success))
}
