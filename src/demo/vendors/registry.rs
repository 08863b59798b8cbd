//! An image registry (OCI distribution): is the image there, and with which digest. No token is asked for.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::demo::shop::Service;
use crate::demo::world::World;

/// The routes; `GET` ones answer `HEAD`, too.
pub fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/v2/", get(|| async { super::json(200, &json!({})) }))
        .route("/v2/{*rest}", get(rest))
}

fn problem(status: u16, code: &str, message: &str, detail: &Value) -> Response {
    super::json(
        status,
        &json!({ "errors": [{ "code": code, "message": message, "detail": detail }] }),
    )
}

async fn rest(
    State(world): State<Arc<World>>,
    method: Method,
    Path(rest): Path<String>,
) -> Response {
    let parts: Vec<&str> = rest.split('/').collect();
    let (name, kind, reference) = match parts.as_slice() {
        [name @ .., kind, reference] => (name.join("/"), *kind, *reference),
        _ => {
            return problem(
                404,
                "NAME_UNKNOWN",
                "repository name not known to registry",
                &Value::Null,
            );
        }
    };
    let service = name
        .strip_prefix("shop/")
        .and_then(|name| world.scenario.service(name));
    let Some(service) = service else {
        return problem(
            404,
            "NAME_UNKNOWN",
            "repository name not known to registry",
            &json!({ "name": name }),
        );
    };
    match (kind, reference) {
        ("tags", "list") => super::json(
            200,
            &json!({ "name": name, "tags": service.versions().collect::<Vec<_>>() }),
        ),
        ("manifests", reference) => match manifest_of(service, reference) {
            Some((text, digest)) => manifest(&method, text, &digest),
            None => problem(
                404,
                "MANIFEST_UNKNOWN",
                "manifest unknown",
                &json!({ "Tag": reference }),
            ),
        },
        _ => problem(
            404,
            "UNSUPPORTED",
            "The operation is unsupported.",
            &Value::Null,
        ),
    }
}

fn manifest_of(service: &Service, reference: &str) -> Option<(String, String)> {
    let all = service.versions().map(|version| {
        let text = text(service, version);
        let digest = format!("sha256:{}", sha256(&text));
        (version, text, digest)
    });
    let mut found = all.filter(|(version, _, digest)| *version == reference || digest == reference);
    found.next().map(|(_, text, digest)| (text, digest))
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The media type of an image manifest.
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn text(service: &Service, version: &str) -> String {
    let layer = |part: &str| sha256(&format!("{} {version} {part}", service.name));
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": format!("sha256:{}", layer("config")), "size": 7023 },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": format!("sha256:{}", layer("layer")), "size": 32_654_812 }],
        "annotations": { "org.opencontainers.image.version": version },
    })
    .to_string()
}

fn manifest(method: &Method, text: String, digest: &str) -> Response {
    let length = text.len();
    let body = if method == Method::HEAD {
        String::new()
    } else {
        text
    };
    let mut answer = (StatusCode::OK, [(header::CONTENT_TYPE, IMAGE)], body).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Ok(digest) = HeaderValue::from_str(digest) {
        headers.insert("docker-content-digest", digest);
    }
    headers.insert(
        "docker-distribution-api-version",
        HeaderValue::from_static("registry/2.0"),
    );
    answer
}
