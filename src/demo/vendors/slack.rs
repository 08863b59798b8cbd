//! Slack's Web API: messages, replies, reactions. The primary on call answers a message to the on-call channel with a check
//! mark after a while, as the scenario says.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::{Params, credential};
use crate::demo::act::Act;
use crate::demo::world::{Refusal, View, World};

/// The channels: id and name.
const CHANNELS: [(&str, &str); 2] = [("C0ONCALL1", "oncall"), ("C0RELEASE", "releases")];
/// The bot behind the token.
const BOT: &str = "U0COCKPIT";

/// The routes. Every method takes GET or POST, parameters in the query, a form or JSON, as the vendor does.
pub fn routes() -> Router<Arc<World>> {
    let method = |name: &'static str| {
        move |state: State<Arc<World>>, headers: HeaderMap, query: RawQuery, body: String| {
            call(name, state, headers, query, body)
        }
    };
    Router::new()
        .route(
            "/api/auth.test",
            get(method("auth.test")).post(method("auth.test")),
        )
        .route("/api/chat.postMessage", post(method("chat.postMessage")))
        .route("/api/chat.update", post(method("chat.update")))
        .route("/api/reactions.add", post(method("reactions.add")))
        .route(
            "/api/reactions.get",
            get(method("reactions.get")).post(method("reactions.get")),
        )
        .route(
            "/api/conversations.replies",
            get(method("conversations.replies")).post(method("conversations.replies")),
        )
        .route(
            "/api/conversations.history",
            get(method("conversations.history")).post(method("conversations.history")),
        )
        .route(
            "/api/conversations.list",
            get(method("conversations.list")).post(method("conversations.list")),
        )
        .route(
            "/api/users.lookupByEmail",
            get(method("users.lookupByEmail")).post(method("users.lookupByEmail")),
        )
        .fallback(|| async { no("unknown_method") })
}

/// Failures are 200 with a word.
fn no(error: &str) -> Response {
    super::json(200, &json!({ "ok": false, "error": error }))
}

async fn call(
    name: &'static str,
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: String,
) -> Response {
    if credential(&headers, "Bearer ").is_none() {
        return no("not_authed");
    }
    let json_body = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let fields = match (json_body, body.is_empty()) {
        (true, false) => match serde_json::from_str(&body) {
            Ok(fields) => fields,
            Err(_) => return no("invalid_json"),
        },
        _ => {
            let params = Params::parse(&[body, query.unwrap_or_default()].join("&"));
            Value::Object(
                params
                    .0
                    .into_iter()
                    .map(|(name, value)| (name, Value::String(value)))
                    .collect(),
            )
        }
    };
    // Posting waits for the disk.
    let done = tokio::task::spawn_blocking(move || run(name, &world, &fields)).await;
    match done {
        Ok(Ok(answer)) => super::json(200, &answer),
        Ok(Err(refusal)) => no(&refusal.why),
        Err(_) => no("internal_error"),
    }
}

fn text<'a>(fields: &'a Value, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn error(word: &str) -> Refusal {
    Refusal::new(200, word)
}

/// The id of a channel given by id or name.
fn channel(fields: &Value) -> Result<&'static str, Refusal> {
    let wanted = text(fields, "channel").trim_start_matches('#');
    let found = CHANNELS
        .iter()
        .find(|(id, name)| *id == wanted || *name == wanted);
    found
        .map(|(id, _)| *id)
        .ok_or_else(|| error("channel_not_found"))
}

fn run(name: &str, world: &World, fields: &Value) -> Result<Value, Refusal> {
    match name {
        "auth.test" => Ok(json!({
            "ok": true, "url": "https://acme.slack.example/", "team": "Acme", "user": "cockpit", "team_id": "T0ACME001", "user_id": BOT, "bot_id": "B0COCKPIT",
            "is_enterprise_install": false,
        })),
        "chat.postMessage" => post_message(world, fields),
        "chat.update" => update(world, fields),
        "reactions.add" => react(world, fields),
        "reactions.get" => {
            let (channel, view) = (channel(fields)?, world.view());
            let message = find(world, &view, channel, text(fields, "timestamp"))
                .ok_or_else(|| error("message_not_found"))?;
            Ok(json!({ "ok": true, "type": "message", "channel": channel, "message": message }))
        }
        "conversations.replies" | "conversations.history" => {
            let (channel, view) = (channel(fields)?, world.view());
            let thread = Some(text(fields, "ts")).filter(|_| name == "conversations.replies");
            let mut messages = messages(world, &view, channel);
            messages.retain(|message| match thread {
                Some(ts) => text(message, "ts") == ts || text(message, "thread_ts") == ts,
                None => message.get("thread_ts").is_none(),
            });
            if thread.is_some() && messages.is_empty() {
                return Err(error("thread_not_found"));
            }
            if thread.is_none() {
                messages.reverse(); // newest first, as the vendor has it
            }
            Ok(
                json!({ "ok": true, "messages": messages, "has_more": false, "response_metadata": { "next_cursor": "" } }),
            )
        }
        "conversations.list" => {
            let channels = CHANNELS.map(|(id, name)| json!({ "id": id, "name": name, "is_channel": true, "is_archived": false, "is_member": true, "num_members": 6 }));
            Ok(
                json!({ "ok": true, "channels": channels, "response_metadata": { "next_cursor": "" } }),
            )
        }
        _ => {
            let email = text(fields, "email");
            let person = world
                .scenario
                .people
                .iter()
                .find(|person| person.email == email)
                .ok_or_else(|| error("users_not_found"))?;
            Ok(json!({ "ok": true, "user": {
                "id": person.slack, "team_id": "T0ACME001", "name": person.name, "deleted": false, "real_name": person.full, "tz": "Europe/Berlin",
                "profile": { "email": person.email, "real_name": person.full, "display_name": person.name }, "is_bot": false,
            }}))
        }
    }
}

fn post_message(world: &World, fields: &Value) -> Result<Value, Refusal> {
    let channel = channel(fields)?;
    let said = text(fields, "text").to_owned();
    if said.is_empty() && fields.get("blocks").is_none() {
        return Err(error("no_text"));
    }
    if said.len() > 40_000 {
        return Err(error("msg_too_long"));
    }
    let thread = Some(text(fields, "thread_ts"))
        .filter(|ts| !ts.is_empty())
        .map(str::to_owned);
    let (view, ts) = world.act(|view| {
        let ts = format!("{}.{:06}", view.now.timestamp(), view.acts.len());
        let metadata = fields.get("metadata").cloned().unwrap_or_default();
        let act = Act::Message {
            channel: channel.to_owned(),
            ts: ts.clone(),
            text: said,
            thread,
            by: BOT.to_owned(),
            metadata,
        };
        Ok((act, ts))
    })?;
    let message = find(world, &view, channel, &ts);
    Ok(json!({ "ok": true, "channel": channel, "ts": ts, "message": message }))
}

fn update(world: &World, fields: &Value) -> Result<Value, Refusal> {
    let (channel, ts, said) = (channel(fields)?, text(fields, "ts"), text(fields, "text"));
    let (_, ()) = world.act(|view| {
        let message = find(world, view, channel, ts).ok_or_else(|| error("message_not_found"))?;
        if text(&message, "user") != BOT {
            return Err(error("cant_update_message"));
        }
        Ok((
            Act::Edit {
                channel: channel.to_owned(),
                ts: ts.to_owned(),
                text: said.to_owned(),
            },
            (),
        ))
    })?;
    Ok(
        json!({ "ok": true, "channel": channel, "ts": ts, "text": said, "message": { "type": "message", "text": said, "user": BOT } }),
    )
}

fn react(world: &World, fields: &Value) -> Result<Value, Refusal> {
    let (channel, ts, name) = (
        channel(fields)?,
        text(fields, "timestamp"),
        text(fields, "name"),
    );
    world.act(|view| {
        let message = find(world, view, channel, ts).ok_or_else(|| error("message_not_found"))?;
        let given = message
            .get("reactions")
            .and_then(Value::as_array)
            .is_some_and(|list| {
                list.iter().any(|r| {
                    text(r, "name") == name
                        && r.get("users").is_some_and(|users| {
                            users.as_array().is_some_and(|u| u.contains(&json!(BOT)))
                        })
                })
            });
        if given {
            return Err(error("already_reacted"));
        }
        Ok((
            Act::Reaction {
                channel: channel.to_owned(),
                ts: ts.to_owned(),
                name: name.to_owned(),
                by: BOT.to_owned(),
            },
            (),
        ))
    })?;
    Ok(json!({ "ok": true }))
}

fn find(world: &World, view: &View, channel: &str, ts: &str) -> Option<Value> {
    messages(world, view, channel)
        .into_iter()
        .find(|message| text(message, "ts") == ts)
}

/// The messages of a channel with their reactions, oldest first.
fn messages(world: &World, view: &View, channel: &str) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for accepted in view.acts.iter() {
        match &accepted.act {
            Act::Message {
                channel: of,
                ts,
                text,
                thread,
                by,
                metadata,
            } if of == channel => {
                let mut message = json!({ "type": "message", "user": by, "ts": ts, "text": text, "team": "T0ACME001" });
                if let Some(object) = message.as_object_mut() {
                    if by == BOT {
                        object.insert("bot_id".to_owned(), json!("B0COCKPIT"));
                    }
                    if let Some(thread) = thread {
                        object.insert("thread_ts".to_owned(), json!(thread));
                    }
                    if !metadata.is_null() {
                        object.insert("metadata".to_owned(), metadata.clone());
                    }
                }
                answered(world, view, channel, accepted.at, by, &mut message);
                found.push(message);
            }
            Act::Edit {
                channel: of,
                ts,
                text: said,
            } if of == channel => {
                if let Some(object) = found
                    .iter_mut()
                    .find(|m| text(m, "ts") == ts)
                    .and_then(Value::as_object_mut)
                {
                    object.insert("text".to_owned(), json!(said));
                    object.insert(
                        "edited".to_owned(),
                        json!({ "user": BOT, "ts": format!("{}.000000", accepted.at.timestamp()) }),
                    );
                }
            }
            Act::Reaction {
                channel: of,
                ts,
                name,
                by,
            } if of == channel => {
                if let Some(message) = found.iter_mut().find(|m| text(m, "ts") == ts) {
                    add(message, name, by);
                }
            }
            _ => {}
        }
    }
    found
}

/// The check marks of people who answer by themselves: on what the bot writes to the on-call channel.
fn answered(
    world: &World,
    view: &View,
    channel: &str,
    at: crate::domain::time::Instant,
    by: &str,
    message: &mut Value,
) {
    if by != BOT || CHANNELS.first().is_none_or(|(id, _)| *id != channel) {
        return;
    }
    for person in &world.scenario.people {
        if person
            .answers_after
            .is_some_and(|after| at + after.0 <= view.now)
        {
            add(message, "white_check_mark", &person.slack);
        }
    }
}

fn add(message: &mut Value, name: &str, by: &str) {
    let Some(object) = message.as_object_mut() else {
        return;
    };
    let Some(list) = object
        .entry("reactions")
        .or_insert_with(|| json!([]))
        .as_array_mut()
    else {
        return;
    };
    match list
        .iter_mut()
        .find(|reaction| text(reaction, "name") == name)
        .and_then(Value::as_object_mut)
    {
        Some(reaction) => {
            let users = reaction.entry("users").or_insert_with(|| json!([]));
            if let Some(users) = users
                .as_array_mut()
                .filter(|users| !users.contains(&json!(by)))
            {
                users.push(json!(by));
            }
            let count = reaction
                .get("users")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            reaction.insert("count".to_owned(), json!(count));
        }
        None => list.push(json!({ "name": name, "users": [by], "count": 1 })),
    }
}
