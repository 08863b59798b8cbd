//! `cockpit judge`: the judge for a pipeline that has its own two numbers or two files.

use std::path::Path;

use crate::domain::judge::{
    Counts, Direction, JudgeAnswer, QuantileQuestion, RatioQuestion, answer_quantile, answer_ratio,
};

use super::args::{Good, JudgeArgs, JudgeKind};
use super::{exit, fail, out};

/// Largest file of values, in bytes.
const LARGEST: u64 = 64 << 20;

/// Judges; the exit code is the verdict's.
pub fn judge(wanted: &JudgeArgs) -> u8 {
    match answer(wanted) {
        Err(why) => fail(exit::USAGE, why),
        Ok(answer) => {
            if wanted.json {
                out::json(&answer);
            } else {
                out::put(&answer.words());
            }
            answer.exit_code
        }
    }
}

fn answer(wanted: &JudgeArgs) -> Result<JudgeAnswer, String> {
    let direction = match wanted.direction {
        Good::LowerIsBetter => Direction::LowerIsBetter,
        Good::HigherIsBetter => Direction::HigherIsBetter,
    };
    if let Some(tolerance) = wanted.tolerance
        && !(tolerance.is_finite() && tolerance > 1.0)
    {
        return Err("--tolerance is a number above 1, such as 1.5".to_owned());
    }
    match wanted.kind {
        JudgeKind::Ratio => Ok(answer_ratio(&RatioQuestion {
            new: counts("--new", &wanted.new)?,
            baseline: counts("--baseline", &wanted.baseline)?,
            tolerance: wanted.tolerance,
            direction,
            phi: at_least("--phi", wanted.phi, 1.0)?,
            day_sd: at_least("--day-sd", wanted.day_sd, 0.0)?,
        })),
        JudgeKind::Quantile => {
            if wanted.phi.is_some() || wanted.day_sd.is_some() {
                return Err(
                    "--phi and --day-sd belong to --kind ratio: a series is judged by its ranks"
                        .to_owned(),
                );
            }
            Ok(answer_quantile(&QuantileQuestion {
                new: values(Path::new(&wanted.new))?,
                baseline: values(Path::new(&wanted.baseline))?,
                tolerance: wanted.tolerance,
                direction,
            }))
        }
    }
}

fn counts(name: &str, text: &str) -> Result<Counts, String> {
    let counts: Counts = text.parse().map_err(|e| format!("{name}: {e}"))?;
    if counts.events > counts.total {
        return Err(format!("{name} {text}: more events than there are in all"));
    }
    Ok(counts)
}

fn at_least(name: &str, value: Option<f64>, least: f64) -> Result<Option<f64>, String> {
    match value {
        Some(v) if !(v.is_finite() && v >= least) => {
            Err(format!("{name} is a number of at least {least}"))
        }
        other => Ok(other),
    }
}

/// One value a line, the last field where a line has several; a first line without a number is a heading.
fn values(path: &Path) -> Result<Vec<f64>, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{} cannot be read: {e}", path.display());
    let size = std::fs::metadata(path).map_err(|e| failed(&e))?.len();
    if size > LARGEST {
        return Err(failed(&"a file of values is at most 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(&e))?;
    let mut out = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let field = line.rsplit([',', ';', '\t']).next().unwrap_or(line).trim();
        if field.is_empty() {
            continue;
        }
        match field.parse::<f64>() {
            Ok(value) if value.is_finite() => out.push(value),
            Err(_) if number == 0 => {}
            _ => {
                return Err(format!(
                    "{}:{}: {} is no number",
                    path.display(),
                    number + 1,
                    crate::domain::text::clean(field, 40)
                ));
            }
        }
    }
    Ok(out)
}
