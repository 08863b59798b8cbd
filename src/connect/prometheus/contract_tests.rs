//! The vendor's own examples, where the folder of contracts is beside the package (or where `COCKPIT_CONTRACTS` says).

use std::path::PathBuf;

use super::fold::{Unfit, fold};

fn examples() -> Option<Vec<(String, Vec<u8>)>> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts"));
    let root = std::env::var_os("COCKPIT_CONTRACTS").map_or(beside, PathBuf::from);
    let folder = std::fs::read_dir(root.join("prometheus/examples")).ok()?;
    let files = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let mut all: Vec<_> = files
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect();
    all.sort();
    Some(all)
}

#[test]
fn the_vendors_examples_of_queries_fold() {
    let Some(examples) = examples() else {
        println!("not applicable: there is no folder of contracts");
        return;
    };
    let mut seen = 0;
    for (name, body) in &examples {
        let folded = fold::<Vec<(i64, f64)>>(body, &Vec::new());
        if name.contains("response_default") {
            assert!(
                matches!(folded, Err(Unfit::Vendor { .. })),
                "{name}: {folded:?}"
            );
        } else if name.contains("query.response_200")
            || name.contains("query_range.response_200")
            || name.contains("-queries.")
        {
            let folded = folded.unwrap_or_else(|unfit| panic!("{name}: {unfit:?}"));
            let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
            let count = match answer["data"]["resultType"].as_str() {
                Some("scalar") => 1,
                _ => answer["data"]["result"].as_array().unwrap().len(),
            };
            assert_eq!(folded.series.len(), count, "{name}");
            assert_eq!(
                folded.newest.is_some(),
                !name.contains("histogram"),
                "{name}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} examples of queries");
}
