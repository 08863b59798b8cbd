//! Places and files that are not as they should be.

use std::fs;
use std::process::Command;

use super::child::{playing, said};
use super::*;

/// The error of opening, and proof that the file was left as it was.
async fn refused(dir: &Path) -> StoreError {
    let file = dir.join(FILE_NAME);
    // The last connection of the preparation closes in the background and puts its log into the file.
    let log = dir.join("cockpit.db-wal");
    for _ in 0..1000 {
        if !log.exists() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let before = fs::read(&file).ok();
    let reading = open_read_only(dir).await.err().expect("opened for reading");
    let error = open(dir).await.err().expect("opened");
    assert_eq!(fs::read(&file).ok(), before, "the file was touched");
    assert_eq!(
        std::mem::discriminant(&reading),
        std::mem::discriminant(&error),
        "{reading} / {error}"
    );
    assert!(error.to_string().contains(FILE_NAME), "{error}");
    error
}

/// A directory with a closed journal of some events.
async fn closed() -> tempfile::TempDir {
    let (dir, store) = fresh().await;
    fill(&store, 400).await;
    store.close().await;
    dir
}

#[cfg(unix)]
#[tokio::test]
async fn directory_and_file_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("a/b");
    let store = open(&dir).await.unwrap();
    store.append(event(1)).await.unwrap();
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in [
        FILE_NAME,
        "cockpit.db-wal",
        "cockpit.db-shm",
        "cockpit.lock",
    ] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    store.close().await;
    fs::set_permissions(dir.join(FILE_NAME), fs::Permissions::from_mode(0o644)).unwrap();
    open(&dir).await.unwrap();
    assert_eq!(mode(&dir.join(FILE_NAME)), 0o600);
    let left: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left.iter().any(|n| n.to_string_lossy().contains(".new")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join(FILE_NAME),
        "my notes, in a file of that name\n".repeat(99),
    )
    .unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
}

#[tokio::test]
async fn another_programs_database_is_named_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let how = SqliteConnectOptions::new()
        .filename(dir.path().join(FILE_NAME))
        .create_if_missing(true);
    let mut other = how.connect().await.unwrap();
    execute(&mut other, "CREATE TABLE event (seq INTEGER)").await;
    sqlx::Connection::close(other).await.unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
}

#[tokio::test]
async fn an_empty_or_cut_file_is_damaged() {
    for keep in [0, 50, 2000, 4096, 9000] {
        let dir = closed().await;
        let file = dir.path().join(FILE_NAME);
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.len() > 20_000);
        fs::write(&file, &bytes[..keep]).unwrap();
        let error = refused(dir.path()).await;
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "cut at {keep}: {error}"
        );
    }
}

#[tokio::test]
async fn garbage_in_the_journals_pages_is_damaged() {
    let dir = closed().await;
    let file = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&file).unwrap();
    let needle = b"{\"n\":200}";
    let place = bytes
        .windows(needle.len())
        .position(|w| w == needle)
        .unwrap();
    let page = place / 4096 * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_flipped_bit_in_a_body_breaks_the_chain_there() {
    let dir = closed().await;
    let file = dir.path().join(FILE_NAME);
    let mut bytes = fs::read(&file).unwrap();
    let needle = b"{\"n\":200}";
    let place = bytes
        .windows(needle.len())
        .position(|w| w == needle)
        .unwrap();
    bytes[place + 5] ^= 1;
    fs::write(&file, bytes).unwrap();
    let store = open(dir.path()).await.unwrap();
    assert!(matches!(
        store.verify(&[]).await.unwrap(),
        Verification::Broken { seq: 200, .. }
    ));
}

#[tokio::test]
async fn a_newer_schema_is_named_and_left() {
    let (dir, store) = fresh().await;
    execute(
        &mut raw(&store).await,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (7, 'later', 1, x'00', 0)",
    )
    .await;
    store.close().await;
    let error = refused(dir.path()).await;
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 7,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn tables_that_were_changed_by_hand_are_named() {
    for sql in [
        "ALTER TABLE event RENAME COLUMN host TO machine",
        "DROP TABLE lease",
        "UPDATE _sqlx_migrations SET checksum = x'00'",
    ] {
        let (dir, store) = fresh().await;
        execute(&mut raw(&store).await, sql).await;
        store.close().await;
        let error = open(dir.path()).await.err().unwrap();
        assert!(
            matches!(error, StoreError::SchemaChanged { .. }),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn an_unknown_column_does_no_harm_unless_it_wants_a_value() {
    let (dir, store) = fresh().await;
    let mut anybody = raw(&store).await;
    execute(
        &mut anybody,
        "ALTER TABLE event ADD COLUMN mood TEXT; ALTER TABLE cache ADD COLUMN x INTEGER",
    )
    .await;
    store.append(event(1)).await.unwrap();
    let again = open(dir.path()).await.unwrap();
    again.append(event(2)).await.unwrap();
    assert_eq!(again.events_since(0).await.unwrap().len(), 2);
    execute(
        &mut anybody,
        "ALTER TABLE lease RENAME TO old; CREATE TABLE lease (name TEXT PRIMARY KEY, holder TEXT, acquired TEXT, renewed TEXT, expires TEXT, must TEXT NOT NULL)",
    )
    .await;
    let error = again.take_lease("pay", "a", at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaChanged { .. }), "{error}");
    again.append(event(3)).await.unwrap();
}

#[tokio::test]
async fn a_write_ahead_log_without_its_database_is_damaged() {
    let (dir, store) = fresh().await;
    fill(&store, 3).await;
    fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_journal_that_was_moved_away_takes_no_more_writes() {
    let (dir, store) = fresh().await;
    fill(&store, 3).await;
    let file = dir.path().join(FILE_NAME);
    let aside = dir.path().join("aside.db");
    fs::rename(&file, &aside).unwrap();
    for error in [
        store.append(event(4)).await.unwrap_err(),
        store.can_write().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Gone { .. }), "{error}");
    }
    fs::rename(&aside, &file).unwrap();
    store.append(event(4)).await.unwrap();
    assert_eq!(verified(&store).await, 4);
}

#[tokio::test]
async fn reading_makes_and_writes_nothing() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("none");
    for dir in [dir.as_path(), above.path()] {
        let error = open_read_only(dir).await.err().unwrap();
        assert!(matches!(error, StoreError::NoJournal { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
    let writer = open(&dir).await.unwrap();
    fill(&writer, 3).await;
    let reader = open_read_only(&dir).await.unwrap();
    assert_eq!(verified(&reader).await, 3);
    writer.append(event(4)).await.unwrap();
    assert_eq!(reader.events_since(0).await.unwrap().len(), 4);
    let mut refusals = vec![
        reader.append(event(5)).await.err(),
        reader.can_write().await.err(),
    ];
    refusals.push(reader.take_lease("pay", "a", at(0)).await.err());
    refusals.push(reader.release_lease("pay", "a").await.err());
    refusals.push(reader.put_samples(&[]).await.err());
    refusals.push(reader.put_states(&[]).await.err());
    refusals.push(reader.put_cache(&[]).await.err());
    refusals.push(reader.prune_cache(at(0)).await.err());
    for error in refusals {
        assert!(
            matches!(error, Some(StoreError::OpenedReadOnly { .. })),
            "{error:?}"
        );
    }
    let backup = above.path().join("backup.db");
    assert!(matches!(
        reader.backup(&backup).await.unwrap(),
        Verification::Verified { count: 4, .. }
    ));
}

#[tokio::test]
async fn a_file_where_the_folder_should_be_is_said() {
    let above = tempfile::tempdir().unwrap();
    let file = above.path().join("file\u{1b}[31m");
    fs::write(&file, "").unwrap();
    for dir in [file.clone(), file.join("below")] {
        let error = open(&dir).await.err().unwrap();
        assert!(matches!(error, StoreError::Folder { .. }), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

#[tokio::test]
async fn another_process_that_holds_the_lock_is_named() {
    let (dir, store) = fresh().await;
    let mut holder = raw(&store).await;
    execute(&mut holder, "BEGIN IMMEDIATE").await;
    let error = store.append(event(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    // Readers do not wait, nor does a second start.
    assert!(store.events_since(0).await.unwrap().is_empty());
    let second = open(dir.path()).await.unwrap();
    execute(&mut holder, "ROLLBACK").await;
    store.append(event(1)).await.unwrap();
    second.append(event(2)).await.unwrap();
    assert_eq!(verified(&store).await, 2);
}

/// Permissions bind nobody who is root, so the child runs as somebody else then.
#[cfg(unix)]
fn as_nobody(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    if fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0) {
        command.uid(65534).gid(65534);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_and_still_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = closed().await;
    let set =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    // A copy of the program where anybody may run it.
    let bin = tempfile::tempdir().unwrap();
    let copy = bin.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    set(bin.path(), 0o755);
    set(&copy, 0o755);
    let run = |role: &str| {
        let played = playing(role, dir.path());
        let mut command = Command::new(&copy);
        command.args(played.get_args());
        command.envs(played.get_envs().filter_map(|(k, v)| Some((k, v?))));
        as_nobody(&mut command);
        said(&command.output().unwrap().stdout).concat()
    };
    set(&dir.path().join(FILE_NAME), 0o444);
    set(&dir.path().join("cockpit.lock"), 0o444);
    set(dir.path(), 0o555);
    let (writing, reading) = (run("open"), run("read"));
    set(dir.path(), 0o700);
    assert!(writing.contains("cannot be written"), "{writing}");
    assert_eq!(reading, "events 400");
}
