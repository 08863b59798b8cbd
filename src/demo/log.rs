//! What a world keeps: `world.jsonl` (its start, each accepted act, each resume; every line synced before it counts) and
//! `world.beat` (the last sign of life, not synced: losing it costs a few seconds of world time, never an act).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::{Duration, Utc};
use serde::{Deserialize, Serialize};

use super::WorldError;
use super::act::Accepted;
use super::scenario::Scenario;
use crate::domain::time::Instant;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Start {
        scenario: String,
        seed: u64,
        at: Beat,
        speed: f64,
    },
    Resume {
        at: Beat,
        speed: f64,
    },
    Act {
        real: Instant,
        accepted: Accepted,
    },
}

/// A moment in both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Beat {
    real: Instant,
    world: Instant,
}

/// The open log; it holds a lock on the file until it is dropped or the process ends.
#[derive(Debug)]
pub struct Log {
    file: File,
    beat: PathBuf,
}

/// What was found on opening.
#[derive(Debug)]
pub struct Kept {
    /// World time to go on from.
    pub world: Instant,
    /// Acts accepted so far, in order.
    pub acts: Vec<Accepted>,
}

impl Log {
    /// Opens or makes the log in `dir`. World time goes on from the last sign of life plus the real time since then times
    /// `speed`, but at most the scenario's `gap_cap`.
    ///
    /// # Errors
    /// The folder or file cannot be used, another process has it, it belongs to another scenario, or a line other than a last,
    /// half-written one does not read. With `fresh` the last two do not arise.
    pub fn open(
        dir: &Path,
        scenario: &Scenario,
        speed: f64,
        fresh: bool,
    ) -> Result<(Self, Kept), WorldError> {
        let path = dir.join("world.jsonl");
        let io = |source| WorldError::Io {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorldError::Locked { path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        if fresh {
            file.set_len(0).map_err(io)?;
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(io)?;
        let (lines, whole) = read(&text, &path)?;
        // A line without its end was never answered for: it goes.
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let beat = dir.join("world.beat");
        if lines.is_empty() {
            std::fs::remove_file(&beat)
                .or_else(|e| {
                    if e.kind() == std::io::ErrorKind::NotFound {
                        Ok(())
                    } else {
                        Err(e)
                    }
                })
                .map_err(io)?;
        }
        let mut log = Self { file, beat };
        let kept = log.resume(lines, scenario, speed, &path)?;
        // The folder's entry of a new file has to last, too.
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io)?;
        Ok((log, kept))
    }

    fn resume(
        &mut self,
        lines: Vec<Line>,
        scenario: &Scenario,
        speed: f64,
        path: &Path,
    ) -> Result<Kept, WorldError> {
        let real = Utc::now();
        let mut acts = Vec::new();
        let mut last: Option<Beat> = None;
        for line in lines {
            let beat = match line {
                Line::Start {
                    scenario: found,
                    seed,
                    at,
                    ..
                } => {
                    if found != scenario.id || seed != scenario.seed {
                        return Err(WorldError::OtherScenario {
                            path: path.to_owned(),
                            found,
                            asked: scenario.id.clone(),
                        });
                    }
                    at
                }
                Line::Resume { at, .. } => at,
                Line::Act { real, accepted } => {
                    let beat = Beat {
                        real,
                        world: accepted.at,
                    };
                    acts.push(accepted);
                    beat
                }
            };
            last = last.max(Some(beat));
        }
        let Some(mut last) = last else {
            let at = Beat {
                real,
                world: scenario.opens,
            };
            self.write(
                &Line::Start {
                    scenario: scenario.id.clone(),
                    seed: scenario.seed,
                    at,
                    speed,
                },
                path,
            )?;
            return Ok(Kept {
                world: scenario.opens,
                acts,
            });
        };
        let beat = std::fs::read(&self.beat)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Beat>(&bytes).ok());
        if let Some(beat) = beat.filter(|beat| beat.world > last.world) {
            last = beat;
        }
        let gap = (real - last.real).max(Duration::zero()).as_seconds_f64() * speed;
        let cap = scenario.gap_cap.as_seconds_f64();
        #[allow(clippy::cast_possible_truncation)] // at most the cap
        let world = last.world + Duration::milliseconds((gap.min(cap) * 1000.0) as i64);
        self.write(
            &Line::Resume {
                at: Beat { real, world },
                speed,
            },
            path,
        )?;
        Ok(Kept { world, acts })
    }

    /// Adds an act and waits until it is on the disk.
    ///
    /// # Errors
    /// The write or the sync failed: the act does not count.
    pub fn act(&mut self, accepted: &Accepted) -> Result<(), WorldError> {
        let path = self.beat.with_file_name("world.jsonl");
        self.write(
            &Line::Act {
                real: Utc::now(),
                accepted: accepted.clone(),
            },
            &path,
        )
    }

    fn write(&mut self, line: &Line, path: &Path) -> Result<(), WorldError> {
        let io = |source| WorldError::Io {
            path: path.to_owned(),
            source,
        };
        let mut text = serde_json::to_vec(line).map_err(|e| io(e.into()))?;
        text.push(b'\n');
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
            .map_err(io)
    }

    /// Where the sign of life goes.
    #[must_use]
    pub fn beat_path(&self) -> &Path {
        &self.beat
    }
}

/// Writes a sign of life; a failure is not worth a word, because the next one follows in seconds.
pub fn beat(path: &Path, world: Instant) {
    let beat = Beat {
        real: Utc::now(),
        world,
    };
    if let Ok(text) = serde_json::to_vec(&beat) {
        let next = path.with_extension("beat.next");
        let _ = std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, path));
    }
}

/// The lines that are whole, and how many bytes they take.
fn read(text: &[u8], path: &Path) -> Result<(Vec<Line>, usize), WorldError> {
    let whole = text
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let mut lines = Vec::new();
    for (number, line) in text
        .get(..whole)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .enumerate()
    {
        if line.is_empty() {
            continue;
        }
        let line = serde_json::from_slice(line).map_err(|e| WorldError::Broken {
            path: path.to_owned(),
            line: number + 1,
            why: e.to_string(),
        })?;
        lines.push(line);
    }
    Ok((lines, whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::demo::act::Act;

    fn open(dir: &Path, fresh: bool) -> Result<(Log, Kept), WorldError> {
        Log::open(dir, &Scenario::load("regression").unwrap(), 1.0, fresh)
    }

    fn act(number: u64, at: Instant) -> Accepted {
        Accepted {
            number,
            at,
            act: Act::Terminate {
                app: "checkout".to_owned(),
            },
        }
    }

    #[test]
    fn acts_survive_and_a_half_line_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let scenario = Scenario::load("regression").unwrap();
        let (mut log, kept) = open(dir.path(), false).unwrap();
        assert_eq!((kept.world, kept.acts.len()), (scenario.opens, 0));
        let first = act(1, scenario.opens + Duration::seconds(7));
        log.act(&first).unwrap();
        assert!(matches!(
            open(dir.path(), false),
            Err(WorldError::Locked { .. })
        ));
        drop(log);
        let path = dir.path().join("world.jsonl");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"act\":{\"real\":\"2026").unwrap();
        let (mut log, kept) = open(dir.path(), false).unwrap();
        assert_eq!(kept.acts, std::slice::from_ref(&first));
        log.act(&act(2, first.at)).unwrap();
        drop(log);
        let (log, kept) = open(dir.path(), false).unwrap();
        assert_eq!(kept.acts.len(), 2, "the cut line left no dirt behind");
        drop(log);
        let (_, kept) = open(dir.path(), true).unwrap();
        assert_eq!(kept.acts.len(), 0);
    }

    #[test]
    fn time_goes_on_from_the_last_sign_of_life_but_not_for_longer_than_the_cap() {
        let dir = tempfile::tempdir().unwrap();
        let scenario = Scenario::load("regression").unwrap();
        let (log, _) = open(dir.path(), false).unwrap();
        let alive = scenario.opens + Duration::minutes(5);
        let old = Beat {
            real: Utc::now() - Duration::hours(9),
            world: alive,
        };
        std::fs::write(log.beat_path(), serde_json::to_vec(&old).unwrap()).unwrap();
        drop(log);
        let (log, kept) = open(dir.path(), false).unwrap();
        assert_eq!(kept.world, alive + Duration::minutes(2));
        beat(log.beat_path(), kept.world + Duration::minutes(1));
        drop(log);
        let (_, kept) = open(dir.path(), false).unwrap();
        let on = kept.world - (alive + Duration::minutes(3));
        assert!(on >= Duration::zero() && on < Duration::seconds(20), "{on}");
    }

    #[test]
    fn a_broken_line_and_another_scenario_are_named() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path(), false).unwrap());
        let other = Scenario::load("happy").unwrap();
        let why = Log::open(dir.path(), &other, 1.0, false)
            .unwrap_err()
            .to_string();
        assert!(
            why.contains("regression") && why.contains("--fresh"),
            "{why}"
        );
        let path = dir.path().join("world.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}nonsense\n{text}")).unwrap();
        let why = open(dir.path(), false).unwrap_err().to_string();
        assert!(why.contains("line 3") || why.contains("line 2"), "{why}");
    }
}
