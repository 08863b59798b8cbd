//! A native driver's surroundings for the tests.

use std::sync::Arc;

/// A clock that stands still.
pub struct Still;

impl crate::domain::time::Clock for Still {
    fn now(&self) -> crate::domain::time::Now {
        let at = chrono::DateTime::from_timestamp(1_795_262_400, 0).unwrap();
        crate::domain::time::Now {
            world: at,
            real: at,
        }
    }
}

/// A connection of a shipped connector with its settings checked, as a driver gets it; the file is in `/etc/cockpit`.
pub fn open_native(
    connector: &str,
    settings: std::collections::BTreeMap<String, crate::domain::policy::Setting>,
    demo: bool,
) -> Result<
    (
        crate::domain::policy::Connection,
        crate::domain::connector::ConnectorSpec,
        super::context::DriverContext,
    ),
    Vec<crate::domain::diag::Diag>,
> {
    let connection = crate::domain::policy::Connection {
        name: "it".into(),
        connector: connector.into(),
        settings,
        reads: Default::default(),
        verbs: Vec::new(),
        settles: 0,
        rollback_by_history: false,
        every: None,
    };
    let (registry, _) = super::registry::Registry::load(None);
    let spec = super::registry::parse(registry.source(connector).unwrap()).map_err(|d| vec![d])?;
    let shared = super::context::Shared {
        zone: chrono_tz::UTC,
        file: "/etc/cockpit/cockpit.toml".into(),
        clock: Arc::new(Still),
        redactor: Arc::default(),
        clients: Arc::new(super::transport::Clients::new(demo)),
        endpoints: demo.then(Arc::default),
        canned: None,
    };
    let context = super::context::DriverContext::new(&connection, &spec, &shared)?;
    Ok((connection, spec, context))
}
