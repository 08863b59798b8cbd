//! docs/journal.md is run, so that it cannot rot.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

const PAGE: &str = include_str!("../../../docs/journal.md");

/// The code block after a marker comment.
fn block(marker: &str) -> &'static str {
    let after = PAGE
        .split_once(&format!("<!-- test: {marker} -->"))
        .unwrap()
        .1;
    let code = after.split_once("```").unwrap().1;
    code.split_once('\n')
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0
}

async fn journal() -> (TempDir, Store) {
    let (dir, store) = fresh().await;
    let odd = NewEvent {
        body: b"\0\xff text".to_vec(),
        actor: "é\n'".into(),
        ..event(2)
    };
    store
        .append(vec![event(1), odd, keyed(3, "k"), event(4)])
        .await
        .unwrap();
    (dir, store)
}

fn run(script: &str, dir: &Path, needs: &[&str]) -> Option<String> {
    for tool in needs {
        let there = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if there.is_err() {
            println!("not applicable: {tool} is not installed");
            return None;
        }
    }
    let mut shell = Command::new("sh");
    shell
        .args(["-e", "-s"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn the_statement_in_the_docs_makes_what_is_hashed() {
    use sha2::{Digest, Sha256};
    let (_dir, store) = journal().await;
    let sql = block("preimage").replace("seq = 1", "seq = ?1");
    for stored in store.events_since(0).await.unwrap() {
        let hex: String = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
            .bind(i64::try_from(stored.seq).unwrap())
            .fetch_one(&mut raw(&store).await)
            .await
            .unwrap();
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap())
            .collect();
        let hash: String = Sha256::digest(bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(hash, stored.hash.to_string(), "event {}", stored.seq);
    }
}

#[tokio::test]
async fn the_shell_lines_in_the_docs_verify_an_event() {
    let (dir, store) = journal().await;
    std::fs::write(dir.path().join("preimage.sql"), block("preimage")).unwrap();
    let Some(said) = run(block("shell"), dir.path(), &["sqlite3", "xxd", "sha256sum"]) else {
        return;
    };
    let hashes: Vec<_> = said.lines().map(|l| l.split(' ').next().unwrap()).collect();
    let first = store.events_since(0).await.unwrap()[0].hash.to_string();
    assert_eq!(hashes, [first.as_str(), first.as_str()]);
}

#[tokio::test]
async fn the_python_script_in_the_docs_verifies_an_export() {
    let (dir, store) = journal().await;
    let mut out = Vec::new();
    store
        .export(Path::new("journal.jsonl"), &mut out)
        .await
        .unwrap();
    let script = format!(
        "cat > verify.py <<'PY'\n{}\nPY\npython3 verify.py < journal.jsonl\n",
        block("python")
    );
    std::fs::write(dir.path().join("journal.jsonl"), &out).unwrap();
    let Some(said) = run(&script, dir.path(), &["python3"]) else {
        return;
    };
    assert_eq!(
        said.trim(),
        format!("4 events, head {}", store.head().await.unwrap())
    );
    let text =
        String::from_utf8(out)
            .unwrap()
            .replacen("\"kind\":\"note\"", "\"kind\":\"nope\"", 1);
    std::fs::write(dir.path().join("journal.jsonl"), text).unwrap();
    let said = run(
        &script.replace(".jsonl\n", ".jsonl || true\n"),
        dir.path(),
        &["python3"],
    )
    .unwrap();
    assert_eq!(said.trim(), "broken at event 1");
}
