//! Where the journal lies: the data directory, its file system, and whether the file in it is a journal at all.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{BUSY_SECONDS, StoreError, named_io, shown, shown_path};

/// The database's file name in the data directory.
pub const FILE_NAME: &str = "cockpit.db";

/// "CKPT", SQLite's mark of whose database a file is (bytes 68 to 71 of it).
pub(super) const APPLICATION_ID: u32 = 0x434b_5054;

/// File systems whose locks and shared memory other machines do not see, or see late.
const NETWORK: [&str; 24] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "gpfs",
    "beegfs",
    "orangefs",
    "pvfs2",
    "coda",
    "davfs",
    "acfs",
    "gfs2",
    "ocfs2",
    "vboxsf",
    "prl_fs",
];

/// Network file systems that come through FUSE, named after "fuse.".
const NETWORK_FUSE: [&str; 16] = [
    "sshfs",
    "s3fs",
    "rclone",
    "glusterfs",
    "ceph",
    "ceph-fuse",
    "davfs",
    "davfs2",
    "smbnetfs",
    "gcsfuse",
    "goofys",
    "juicefs",
    "cephfs",
    "curlftpfs",
    "vmhgfs-fuse",
    "mount-s3",
];

/// Makes (mode 0700) or finds the data directory and returns its real path.
///
/// An existing directory keeps its permissions; one on a network file system is refused.
pub(super) fn directory(dir: &Path, read_only: bool) -> Result<PathBuf, StoreError> {
    let path = || shown_path(dir);
    if !read_only {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        if let Err(error) = builder.create(dir) {
            return Err(match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory => StoreError::Folder {
                    path: path(),
                    why: "it is not a folder".into(),
                },
                _ => named_io(dir, "making the data directory", error),
            });
        }
    }
    let real = match fs::canonicalize(dir) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StoreError::NoJournal {
                path: shown_path(&dir.join(FILE_NAME)),
            });
        }
        Err(error) => return Err(named_io(dir, "looking for the data directory", error)),
    };
    if !real.is_dir() {
        return Err(StoreError::Folder {
            path: path(),
            why: "it is not a folder".into(),
        });
    }
    if real.to_str().is_none() {
        return Err(StoreError::Folder {
            path: path(),
            why: "its name is not valid UTF-8".into(),
        });
    }
    refuse_network(&real)?;
    Ok(real)
}

/// Linux tells the file system in `/proc/self/mountinfo`; elsewhere this is not checked.
fn refuse_network(dir: &Path) -> Result<(), StoreError> {
    let Ok(mounts) = fs::read("/proc/self/mountinfo") else {
        return Ok(());
    };
    match file_system(&String::from_utf8_lossy(&mounts), dir) {
        Some(kind) if is_network(&kind) => Err(StoreError::NetworkFileSystem {
            path: shown_path(dir),
            kind: shown(&kind),
        }),
        _ => Ok(()),
    }
}

/// The type of the file system that holds `path`, by the longest mount point above it (the later of two alike).
fn file_system(mountinfo: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for line in mountinfo.lines() {
        let Some((mount, kind)) = mount_and_type(line) else {
            continue;
        };
        let depth = mount.components().count();
        if path.starts_with(&mount) && best.as_ref().is_none_or(|(d, _)| depth >= *d) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: the fifth field, and the first after the dash.
fn mount_and_type(line: &str) -> Option<(PathBuf, String)> {
    let (before, after) = line.split_once(" - ")?;
    let mount = unescape(before.split(' ').nth(4)?);
    Some((PathBuf::from(mount), after.split(' ').next()?.to_string()))
}

/// The kernel writes blank, tab, newline and backslash in a mount point as `\040` and the like.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|o| u8::from_str_radix(o, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_network(kind: &str) -> bool {
    match kind.strip_prefix("fuse.") {
        Some(fuse) => NETWORK_FUSE.contains(&fuse),
        None => NETWORK.contains(&kind),
    }
}

/// New files are for their owner alone.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Takes the rights of group and others from the database, if somebody gave them.
pub(super) fn keep_private(file: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let fail = |e| named_io(file, "looking at the journal's permissions", e);
        let mut permissions = fs::metadata(file).map_err(fail)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(permissions.mode() & 0o700);
            fs::set_permissions(file, permissions).map_err(fail)?;
        }
    }
    Ok(())
}

/// What tells one file from another under the same name.
#[cfg(unix)]
pub(super) fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(file).map(|m| (m.dev(), m.ino()))
}

/// What tells one file from another under the same name: here only that it is there.
#[cfg(not(unix))]
pub(super) fn identity(file: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(file).map(|_| (0, 0))
}

/// Whether a journal lies at `file`. Anything else there is named and left as it is.
pub(super) fn look(file: &Path) -> Result<bool, StoreError> {
    let path = || shown_path(file);
    let mut header = Vec::new();
    match File::open(file) {
        Ok(opened) => opened
            .take(100)
            .read_to_end(&mut header)
            .map_err(|e| named_io(file, "reading", e))?,
        Err(error) if error.kind() == ErrorKind::NotFound => return orphan(file).map(|()| false),
        Err(error) => return Err(named_io(file, "opening", error)),
    };
    // Ours is made whole under another name and then renamed, so an empty one was cut.
    if header.is_empty() {
        return Err(StoreError::Damaged {
            path: path(),
            why: "the file is empty".into(),
        });
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::NotOurs {
            path: path(),
            why: "it does not begin like an SQLite database".into(),
        });
    }
    let owner = header
        .get(68..72)
        .and_then(|b| b.try_into().ok())
        .map(u32::from_be_bytes);
    match owner {
        None => Err(StoreError::Damaged {
            path: path(),
            why: "the file is cut inside its header".into(),
        }),
        Some(APPLICATION_ID) => Ok(true),
        Some(_) => Err(StoreError::NotOurs {
            path: path(),
            why: "another program's SQLite database".into(),
        }),
    }
}

/// A write-ahead log without its database would be replayed into a new one.
fn orphan(file: &Path) -> Result<(), StoreError> {
    let wal = beside(file, "-wal");
    match fs::metadata(&wal) {
        Ok(meta) if meta.len() > 0 => Err(StoreError::Damaged {
            path: shown_path(file),
            why: format!(
                "the file is missing, but its last writes are still in {}",
                shown_path(&wal)
            ),
        }),
        _ => Ok(()),
    }
}

/// `cockpit.db` and "-wal" make `cockpit.db-wal`.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Holds the lock file while the database is made or migrated; two processes that start together take turns.
/// The lock goes with the returned file, and with the process.
pub(super) fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("cockpit.lock");
    let fail = |e| named_io(&path, "locking", e);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = private(&mut options).open(&path).map_err(fail)?;
    // Counted, not timed: the store does not ask the time.
    let pause = Duration::from_millis(5);
    for _ in 0..BUSY_SECONDS * 200 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(fail(error)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
        }
    }
    Err(StoreError::Locked {
        path: shown_path(&path),
        doing: "opening",
        waited_s: BUSY_SECONDS,
    })
}

/// Makes a rename in this directory survive a power cut.
pub(super) fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| named_io(dir, "syncing the data directory", e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:27 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 259:3 / /home/ana/local\\040disk rw shared:3 - xfs /dev/sdb rw
32 22 0:50 / /mnt/remote rw - fuse.sshfs ana@host:/ rw
33 22 0:51 / /mnt/c rw - 9p C:\\134 rw
34 22 0:52 / /mnt/twice rw - nfs server:/x rw
35 22 0:53 / /mnt/twice rw - tmpfs none rw
36 22 0:54 / /mnt/vault rw - fuse.gocryptfs vault rw";

    #[test]
    fn the_longest_mount_point_tells_the_file_system() {
        let kind = |p: &str| file_system(MOUNTS, Path::new(p)).unwrap();
        assert_eq!(kind("/var/lib/cockpit"), "ext4");
        assert_eq!(kind("/home/ana/.local/share/cockpit"), "nfs4");
        assert_eq!(kind("/home/ana/local disk/cockpit"), "xfs");
        assert_eq!(kind("/homestead"), "ext4");
        assert_eq!(kind("/mnt/twice/a"), "tmpfs");
        for (path, network) in [
            ("/home/ana", true),
            ("/mnt/remote/x", true),
            ("/mnt/c/Users", true),
            ("/mnt/vault", false),
            ("/", false),
        ] {
            assert_eq!(is_network(&kind(path)), network, "{path}");
        }
    }

    #[test]
    fn odd_mountinfo_lines_are_no_mounts() {
        assert_eq!(file_system("", Path::new("/")), None);
        assert_eq!(
            file_system("a b - c\n\\ - \n 1 2 3 4", Path::new("/")),
            None
        );
        assert_eq!(unescape("a\\04\\040b\\"), "a\\04 b\\");
    }
}
