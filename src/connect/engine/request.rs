//! A connector's request with every value in its place.

use serde_json::Value;

use super::Engine;
use crate::connect::auth::secret_values;
use crate::connect::compile::Call as Asked;
use crate::connect::template::{Template, Values};
use crate::connect::transport::{Payload, Request, Target};
use crate::domain::observe::{Fault, FaultKind};

impl Engine {
    /// Renders a request. Secrets are looked up here, for the places that may hold them.
    pub(super) async fn request(&self, asked: &Asked, values: &Values) -> Result<Request, Fault> {
        let config = |why: String| {
            let what = format!("{} {}: {why}", asked.method, asked.path.text());
            self.fault(FaultKind::Config, &what, "nothing was sent")
        };
        let mut with_secrets: Vec<&Template> = vec![&asked.path];
        if let Some(json) = &asked.json {
            with_secrets.extend(json.leaves());
        }
        let secrets = secret_values(&self.secrets, &Value::Null, &with_secrets)
            .await
            .map_err(config)?
            .scope("secret");
        let values = values.clone().with("secret", secrets);
        let pairs = |list: &[(String, Template)]| -> Result<Vec<(String, String)>, Fault> {
            let mut out = Vec::new();
            for (name, template) in list {
                let value = template.render(&values).map_err(config)?;
                if !value.is_empty() {
                    out.push((name.clone(), value));
                }
            }
            Ok(out)
        };
        let fields = |form: &[(Template, Template)]| -> Result<Vec<(String, String)>, Fault> {
            let mut out = Vec::new();
            for (name, template) in form {
                let name = name.render(&values).map_err(config)?;
                let value = template.render(&values).map_err(config)?;
                match (name.is_empty(), value.is_empty()) {
                    (_, true) => {}
                    (true, false) => return Err(config("a form's field has no name".to_owned())),
                    (false, false) => out.push((name, value)),
                }
            }
            Ok(out)
        };
        let body = match (&asked.json, &asked.form) {
            (Some(json), _) => Payload::Json(json.render(&values).map_err(config)?),
            (None, Some(form)) => Payload::Form(fields(form)?),
            (None, None) => Payload::Empty,
        };
        Ok(Request {
            method: asked.method.clone(),
            target: Target::Path(asked.path.render(&values).map_err(config)?),
            template: asked.path.text().to_owned(),
            query: pairs(&asked.query)?,
            headers: pairs(&asked.headers)?,
            body,
            idempotent: false,
            act: false,
        })
    }
}
