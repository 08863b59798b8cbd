//! How a cluster is reached: kubeconfig, its plugins, and what is refused.

use std::path::Path;

use cockpit::connect::driver::Driver;
use cockpit::connect::kubernetes::Kubernetes;
use cockpit::domain::observe::FaultKind;

use super::cluster::Cluster;
use super::{Hand, TOKEN, call, driver, read, rolling, spec};

/// A kubeconfig with this cluster and user.
pub fn kubeconfig(dir: &Path, cluster: &str, user: &str) -> String {
    let path = dir.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: prod\ncontexts:\n- name: prod\n  context: {{cluster: c, user: u, namespace: shop}}\n- name: other\n  context: {{cluster: c, user: u}}\nclusters:\n- name: c\n  cluster:\n{cluster}\nusers:\n- name: u\n  user:\n{user}\n"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn at(cluster: &Cluster) -> String {
    format!("    server: {}", cluster.url())
}

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    cluster.inner.lock().unwrap().token = Some(TOKEN.into());
    rolling(&cluster);
    cluster
}

pub fn from(path: &str, more: &[(&str, &str)], clock: Hand) -> Kubernetes {
    let mut settings = vec![("kubeconfig", path)];
    settings.extend(more);
    driver(&spec(), &settings, clock).unwrap()
}

/// Why nothing can be read, and that the sentence holds no secret.
async fn why(path: &str, more: &[(&str, &str)]) -> String {
    let fault = from(path, more, Hand::new())
        .read(&call(), None)
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Config, "{fault}");
    let text = fault.to_string();
    assert!(!text.contains(TOKEN), "{text}");
    text
}

#[tokio::test]
async fn tokens_from_the_file_from_another_file_and_passwords() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let path = kubeconfig(dir.path(), &at(&cluster), &format!("    token: {TOKEN}"));
    let k8s = from(&path, &[], Hand::new());
    assert_eq!(read(&k8s).await.unwrap().0.len(), 1);
    assert_eq!(
        k8s.health().await.unwrap(),
        "Kubernetes v1.31.2 (prod, shop): 0 rollouts, 1 deployments"
    );
    // Another context has no namespace: it is default.
    let other = from(&path, &[("context", "other")], Hand::new());
    assert_eq!(read(&other).await.unwrap().0.len(), 0);

    // A token file beside the kubeconfig is read again each time: it is renewed there.
    std::fs::write(dir.path().join("token"), "old").unwrap();
    let path = kubeconfig(dir.path(), &at(&cluster), "    tokenFile: token");
    let k8s = from(&path, &[], Hand::new());
    assert_eq!(read(&k8s).await.unwrap_err().kind, FaultKind::Unauthorized);
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).unwrap();
    assert_eq!(read(&k8s).await.unwrap().0.len(), 1);

    let path = kubeconfig(
        dir.path(),
        &at(&cluster),
        "    username: ana\n    password: hush-hush",
    );
    let fault = read(&from(&path, &[], Hand::new())).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unauthorized);
    let seen = cluster.inner.lock().unwrap().seen.last().unwrap().clone();
    assert_eq!(seen.authorization, "Basic YW5hOmh1c2gtaHVzaA==");
}

/// A plugin that counts its runs, shows its environment, and says `answer`.
fn plugin(dir: &Path, answer: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = dir.join("sign-in");
    let script = format!(
        "#!/bin/sh\necho run >> '{0}/runs'\nenv > '{0}/env'\necho \"$1\" > '{0}/arg'\ncat <<'END'\n{answer}\nEND\n",
        dir.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn user_of(plugin: &str) -> String {
    format!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: {plugin}\n      args: [get-token]\n      env: [{{name: REGION, value: eu}}]\n      interactiveMode: IfAvailable\n      provideClusterInfo: true\n      installHint: install it"
    )
}

fn grant(token: &str, until: &str) -> String {
    format!(
        "{{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{{\"token\":\"{token}\",\"expirationTimestamp\":\"{until}\"}}}}"
    )
}

fn runs(dir: &Path) -> usize {
    std::fs::read_to_string(dir.join("runs")).map_or(0, |t| t.lines().count())
}

#[tokio::test]
async fn a_plugin_signs_in_once_until_its_word_ends() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let program = plugin(dir.path(), &grant(TOKEN, "2026-11-21T12:15:00Z"));
    let path = kubeconfig(dir.path(), &at(&cluster), &user_of(&program));
    let clock = Hand::new();
    let k8s = from(&path, &[("exec", &program)], clock.clone());
    for _ in 0..3 {
        assert_eq!(read(&k8s).await.unwrap().0.len(), 1);
    }
    assert_eq!(runs(dir.path()), 1);
    clock.forward(15);
    let program_again = plugin(dir.path(), &grant(TOKEN, "2026-11-21T12:45:00Z"));
    assert_eq!(program_again, program);
    assert_eq!(read(&k8s).await.unwrap().0.len(), 1);
    assert_eq!(runs(dir.path()), 2);
    // Refused by the server: it is asked anew with the next request.
    cluster.inner.lock().unwrap().token = Some("renewed".into());
    assert_eq!(read(&k8s).await.unwrap_err().kind, FaultKind::Unauthorized);
    plugin(dir.path(), &grant("renewed", "2026-11-21T12:45:00Z"));
    assert_eq!(read(&k8s).await.unwrap().0.len(), 1);
    assert_eq!(runs(dir.path()), 3);

    assert_eq!(
        std::fs::read_to_string(dir.path().join("arg")).unwrap(),
        "get-token\n"
    );
    let env = std::fs::read_to_string(dir.path().join("env")).unwrap();
    assert!(
        env.contains("REGION=eu") && env.contains("\"interactive\":false"),
        "{env}"
    );
    assert!(
        env.contains("KUBERNETES_EXEC_INFO={") && env.contains(&cluster.url()),
        "{env}"
    );
    let allowed = [
        "PATH",
        "HOME",
        "LC_ALL",
        "REGION",
        "KUBERNETES_EXEC_INFO",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    ];
    for line in env.lines() {
        let name = line.split('=').next().unwrap();
        assert!(allowed.contains(&name), "it sees {name}");
    }
}

#[tokio::test]
async fn a_program_that_the_trusted_file_does_not_name_is_never_run() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let program = plugin(dir.path(), &grant(TOKEN, "2026-11-21T12:15:00Z"));
    let path = kubeconfig(dir.path(), &at(&cluster), &user_of(&program));
    let said = why(&path, &[]).await;
    assert!(
        said.contains(&format!("write exec = \"{program}\"")),
        "{said}"
    );
    let said = why(&path, &[("exec", "aws")]).await;
    assert!(said.contains("but exec allows aws"), "{said}");
    assert_eq!(runs(dir.path()), 0);
    assert!(cluster.inner.lock().unwrap().seen.is_empty());
}

#[tokio::test]
async fn nothing_is_run_before_the_file_is_trusted() {
    use cockpit::connect::{ConnectOptions, Connections};
    use std::sync::Arc;
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let program = plugin(dir.path(), &grant(TOKEN, "2026-11-21T12:15:00Z"));
    let path = kubeconfig(dir.path(), &at(&cluster), &user_of(&program));
    let policy = serde_json::json!({
        "digest": "", "file": "cockpit.toml", "title": "test", "timezone": "UTC", "demo": null, "environments": [],
        "connections": { "k8s": { "name": "k8s", "connector": "kubernetes", "every": null,
            "settings": { "kubeconfig": { "text": path }, "exec": { "text": program } } } },
        "metrics": [], "services": [], "windows": [], "freezes": [], "calendars": [], "approvals": {}, "people": {},
        "checklist": [], "oncall": {}, "releases": [], "limits": {}, "keys": {},
    });
    let policy: cockpit::domain::policy::Policy = serde_json::from_value(policy).unwrap();
    for trusted in [false, true] {
        let options = ConnectOptions {
            endpoints: None,
            connector_dir: None,
            clock: Arc::new(Hand::new()),
            trusted,
        };
        let (connections, diags) = Connections::open(&policy, options);
        assert!(diags.is_empty(), "{diags:?}");
        let health = connections.health("k8s").await;
        assert_eq!(health.is_ok(), trusted, "{health:?}");
        assert_eq!(runs(dir.path()), usize::from(trusted));
    }
}

#[tokio::test]
async fn a_plugin_that_fails_is_said_without_its_output() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    for (answer, part) in [
        (format!("no json {TOKEN}"), "printed no JSON"),
        (
            "{\"status\":{}}".to_owned(),
            "neither a token nor a client certificate",
        ),
        (grant(TOKEN, "soon"), "expirationTimestamp that is no time"),
    ] {
        let program = plugin(dir.path(), &answer);
        let path = kubeconfig(dir.path(), &at(&cluster), &user_of(&program));
        let said = why(&path, &[("exec", &program)]).await;
        assert!(said.contains(part) && said.contains("install it"), "{said}");
    }
    let path = kubeconfig(dir.path(), &at(&cluster), &user_of("/nonexistent/aws"));
    let said = why(&path, &[("exec", "/nonexistent/aws")]).await;
    assert!(said.contains("cannot be run"), "{said}");
}

#[tokio::test]
async fn what_a_kubeconfig_may_not_say_is_refused() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let token = format!("    token: {TOKEN}");
    let cases = [
        (format!("{}\n    insecure-skip-tls-verify: true", at(&cluster)), token.clone(), "insecure-skip-tls-verify"),
        (format!("{}\n    tls-server-name: other", at(&cluster)), token.clone(), "tls-server-name"),
        (format!("{}\n    certificate-authority-data: '***'", at(&cluster)), token.clone(), "no base64"),
        (format!("{}\n    certificate-authority: gone.pem", at(&cluster)), token.clone(), "gone.pem cannot be read"),
        ("    server: ':::'".to_owned(), token.clone(), "is no address"),
        ("    other: x".to_owned(), token.clone(), "has no server"),
        (at(&cluster), "    client-certificate-data: aGk=".to_owned(), "without a key"),
        (at(&cluster), "    auth-provider: {name: gcp}".to_owned(), "use exec"),
        (at(&cluster), "    exec: {command: x, apiVersion: client.authentication.k8s.io/v9}".to_owned(), "is not known"),
        (at(&cluster), "    exec: {command: x, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always}".to_owned(), "wants a terminal"),
    ];
    for (server, user, part) in &cases {
        let path = kubeconfig(dir.path(), server, user);
        let said = why(&path, &[]).await;
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(cluster.inner.lock().unwrap().seen.is_empty());
    let path = kubeconfig(dir.path(), &at(&cluster), &token);
    assert!(
        why(&path, &[("context", "nope")])
            .await
            .contains("no context \"nope\"")
    );
    std::fs::write(&path, format!("a: [{TOKEN}")).unwrap();
    assert!(why(&path, &[]).await.contains("it is not YAML"));
    assert!(
        why("/nonexistent/config", &[])
            .await
            .contains("cannot be read")
    );
}

#[tokio::test]
async fn a_client_certificate_that_is_none_is_a_sentence() {
    let cluster = cluster().await;
    let dir = tempfile::tempdir().unwrap();
    let user = "    client-certificate-data: aGk=\n    client-key-data: aGk=";
    let path = kubeconfig(dir.path(), &at(&cluster), user);
    let said = why(&path, &[]).await;
    assert!(
        said.contains("the client certificate or its key is no PEM"),
        "{said}"
    );
    let server = format!("{}\n    certificate-authority-data: aGk=", at(&cluster));
    let path = kubeconfig(dir.path(), &server, &format!("    token: {TOKEN}"));
    let said = why(&path, &[]).await;
    assert!(said.contains("certificate authority"), "{said}");
}

#[test]
fn settings_that_contradict_each_other_are_refused_at_load() {
    for (settings, part) in [
        (vec![("url", "http://x"), ("context", "prod")], "not both"),
        (
            vec![("url", "http://x"), ("kinds", "pods")],
            "neither rollouts nor deployments",
        ),
        (vec![("kubeconfg", "x")], "has no setting"),
    ] {
        let diags = driver(&spec(), &settings, Hand::new()).err().unwrap();
        let text = format!("{diags:?}");
        assert!(
            text.contains(part) && text.contains("connections.k8s."),
            "{text}"
        );
    }
}
