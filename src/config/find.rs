//! Which file is read: the one that is named, the one in this folder, or the person's own.

use std::path::{Path, PathBuf};

/// The file's name.
pub const NAME: &str = "cockpit.toml";

/// No file was found; where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// Paths, in the order they were tried.
    pub searched: Vec<PathBuf>,
}

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no {NAME} here; looked for")?;
        for (n, path) in self.searched.iter().enumerate() {
            let sign = if n == 0 { " " } else { ", " };
            write!(f, "{sign}{}", path.display())?;
        }
        f.write_str(
            ". Write one with `cockpit init`, or fly the embedded world with `cockpit demo`",
        )
    }
}

impl std::error::Error for NotFound {}

/// The file to read: `explicit` where one is named (and nothing else), else `cockpit.toml` in `cwd`, else in `config_dir`.
///
/// # Errors
/// Where it was looked for.
pub fn find_file(
    explicit: Option<&Path>,
    cwd: &Path,
    config_dir: Option<&Path>,
) -> Result<PathBuf, NotFound> {
    let searched: Vec<PathBuf> = match explicit {
        Some(path) => vec![cwd.join(path)],
        None => [Some(cwd), config_dir]
            .into_iter()
            .flatten()
            .map(|dir| dir.join(NAME))
            .collect(),
    };
    match searched.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(NotFound { searched }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_comes_before_the_person_and_a_named_file_before_both() {
        let (here, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let find = |explicit: Option<&str>| {
            find_file(explicit.map(Path::new), here.path(), Some(home.path()))
        };
        let lost = find(None).unwrap_err();
        assert_eq!(
            lost.searched,
            [here.path().join(NAME), home.path().join(NAME)]
        );
        let words = lost.to_string();
        assert!(
            words.contains("cockpit init") && words.contains("cockpit demo"),
            "{words}"
        );
        std::fs::write(home.path().join(NAME), "").unwrap();
        assert_eq!(find(None), Ok(home.path().join(NAME)));
        std::fs::write(here.path().join(NAME), "").unwrap();
        assert_eq!(find(None), Ok(here.path().join(NAME)));
        // A named file that is not there is never replaced by another.
        assert_eq!(
            find(Some("other.toml")).unwrap_err().searched,
            [here.path().join("other.toml")]
        );
    }
}
