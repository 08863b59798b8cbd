//! `cockpit init`: a commented cockpit.toml by asking. It never overwrites anything.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use crate::config::find::NAME;
use crate::config::starter::{Answers, StarterConnection};
use crate::config::{self, starter};
use crate::runtime::load::Index;

use super::args::{Args, InitArgs};
use super::{exit, fail, out};

/// Writes the file.
pub fn init(args: &Args, wanted: &InitArgs) -> u8 {
    let path = wanted
        .output
        .clone()
        .or_else(|| args.config.clone())
        .unwrap_or_else(|| PathBuf::from(NAME));
    if path.exists() {
        return fail(exit::CONFIG, there(&path));
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminal && !wanted.yes {
        return fail(
            exit::USAGE,
            "there is no terminal to ask on: give the answers (`cockpit init --help` lists them) and --yes",
        );
    }
    let answers = match answers(wanted, terminal && !wanted.yes) {
        Ok(answers) => answers,
        Err(why) => return fail(exit::USAGE, why),
    };
    let text = starter(&answers);
    let (index, _) = Index::new(None);
    if let Err(diags) = config::load(&text, NAME, &index) {
        out::complain(&config::render(&diags, &text, false));
        return fail(
            exit::USAGE,
            "with these answers the file would be wrong: nothing is written",
        );
    }
    match write(&path, &text) {
        Ok(()) => {
            out::put(&format!(
                "{} is written. Next: `cockpit check`, then `cockpit trust`, then `cockpit`.",
                path.display()
            ));
            exit::PASS
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => fail(exit::CONFIG, there(&path)),
        Err(e) => fail(
            exit::UNREACHABLE,
            format!("{} cannot be written: {e}", path.display()),
        ),
    }
}

fn there(path: &Path) -> String {
    format!(
        "{} is there already and is never overwritten: move it away, or name another file with --output",
        path.display()
    )
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What was given, then what is asked, then what the starter has.
fn answers(wanted: &InitArgs, asks: bool) -> Result<Answers, String> {
    let usual = Answers::default();
    let ask = |given: Option<String>, question: &str, usual: &str| match given {
        Some(given) => Ok(given),
        None if asks => asked(question, usual),
        None => Ok(usual.to_owned()),
    };
    let title = ask(wanted.title.clone(), "Title on the screen", &usual.title)?;
    let zone = here().unwrap_or(usual.timezone);
    let zone = ask(wanted.timezone.clone(), "Zone of local times", zone.name())?;
    let timezone: Tz = zone
        .parse()
        .map_err(|_| format!("{zone} is no time zone: write it as Europe/Berlin"))?;
    let environments = environments(wanted, &ask)?;
    let services = match wanted.services.as_slice() {
        [] => words(&ask(
            None,
            "Services, with spaces between them",
            "my-service",
        )?),
        given => given.to_vec(),
    };
    let mut connections = Vec::new();
    let mut connect = |name: &str, connector: &str, settings: Vec<(&str, String)>| {
        connections.push(StarterConnection {
            name: name.to_owned(),
            connector: connector.to_owned(),
            settings: settings
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect(),
        });
        name.to_owned()
    };
    let url = ask(
        wanted.prometheus.clone(),
        "Prometheus' address (empty: none)",
        "",
    )?;
    let metrics = (!url.is_empty()).then(|| connect("prom", "prometheus", vec![("url", url)]));
    let url = ask(wanted.argocd.clone(), "Argo CD's address (empty: none)", "")?;
    let token = |name: &str| ("token", format!("env:{name}"));
    let deployments = (!url.is_empty())
        .then(|| connect("argo", "argocd", vec![("url", url), token("ARGOCD_TOKEN")]));
    let repo = ask(
        wanted.github.clone(),
        "GitHub repository as OWNER/REPO (empty: none)",
        "",
    )?;
    if !repo.is_empty() {
        let (owner, repo) = repo
            .split_once('/')
            .ok_or_else(|| format!("{repo} is no repository: write OWNER/REPO"))?;
        connect(
            "hub",
            "github",
            vec![
                ("owner", owner.to_owned()),
                ("repo", repo.to_owned()),
                token("GITHUB_TOKEN"),
            ],
        );
    }
    Ok(Answers {
        title,
        timezone,
        environments,
        services,
        connections,
        metrics,
        deployments,
    })
}

fn environments(
    wanted: &InitArgs,
    ask: &impl Fn(Option<String>, &str, &str) -> Result<String, String>,
) -> Result<Vec<(String, bool)>, String> {
    let mut names = wanted.environments.clone();
    for name in &wanted.protected {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        names = words(&ask(
            None,
            "Environments in the order of promotion",
            "staging production",
        )?);
    }
    let protected = if wanted.protected.is_empty() {
        // The last one is where it hurts.
        let last = names.last().cloned().unwrap_or_default();
        words(&ask(None, "Which of them are protected", &last)?)
    } else {
        wanted.protected.clone()
    };
    if let Some(stranger) = protected.iter().find(|p| !names.contains(p)) {
        return Err(format!(
            "{stranger} is none of the environments {}",
            names.join(", ")
        ));
    }
    Ok(names
        .into_iter()
        .map(|name| {
            let guarded = protected.contains(&name);
            (name, guarded)
        })
        .collect())
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', ',', '\t'])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn asked(question: &str, usual: &str) -> Result<String, String> {
    let mut output = std::io::stdout();
    let hint = if usual.is_empty() {
        String::new()
    } else {
        format!(" [{usual}]")
    };
    let _ = write!(output, "{question}{hint}: ");
    let _ = output.flush();
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Err("the answers ended early: nothing is written".to_owned()),
        Ok(_) if line.trim().is_empty() => Ok(usual.to_owned()),
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

/// This machine's zone, where it says one.
fn here() -> Option<Tz> {
    if let Ok(zone) = std::env::var("TZ")
        && let Ok(zone) = zone.trim_start_matches(':').parse()
    {
        return Some(zone);
    }
    let link = std::fs::read_link("/etc/localtime").ok()?;
    let text = link.to_str()?;
    text.split_once("zoneinfo/")?.1.parse().ok()
}
