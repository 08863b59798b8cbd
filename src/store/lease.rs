//! Driver's leases and environment locks: one row each, safe between processes.

use chrono::TimeDelta;

use super::append::Holding;
use super::connection::WriteTx;
use super::error::{StoreError, named, shown};
use super::{Instant, Store, at_most, time_text};

/// How often a holder renews.
pub const RENEW_EVERY: std::time::Duration = std::time::Duration::from_secs(10);

/// How long a lease lives after it was taken or renewed.
pub const LAPSE_AFTER: std::time::Duration = std::time::Duration::from_secs(30);

/// The longest name of a lease or its holder, in bytes.
const MAX_NAME: usize = 1024;

/// A lease or lock as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for: a release, or a service in an environment.
    pub name: String,
    /// Who has it; one process, not one person.
    pub holder: String,
    /// Since when, in real time.
    pub acquired: Instant,
    /// When it was last renewed, in real time.
    pub renewed: Instant,
    /// When it lapses unless it is renewed, in real time.
    pub expires: Instant,
}

impl Lease {
    /// Whether it still holds at this real time.
    pub fn holds_at(&self, now: Instant) -> bool {
        now < self.expires
    }
}

/// What came of trying to take a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseTaken {
    /// The caller has it.
    Taken {
        /// The lease.
        lease: Lease,
        /// Whose lapsed lease this was, if it was another's.
        lapsed_from: Option<String>,
    },
    /// Somebody else has it.
    Held(Lease),
}

impl Store {
    /// Takes the lease if it is free or lapsed; whoever has it already renews it. `now` is real time.
    ///
    /// A lease that was renewed in the future (the clock went back) starts its 30 s over under its holder, so that
    /// neither a living holder loses it nor a dead one keeps it until the clock has caught up.
    ///
    /// # Errors
    /// As every write: locked, full, read-only, gone.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
    ) -> Result<LeaseTaken, StoreError> {
        at_most("The lease's name", name.len(), MAX_NAME)?;
        at_most("The lease's holder", holder.len(), MAX_NAME)?;
        let mut tx = self.begin("taking a lease").await?;
        let found = self.lease_in(&mut tx, name).await?;
        let outcome = match found {
            Some(lease) if lease.holder != holder && lease.renewed > now => {
                let lease = Lease {
                    renewed: now,
                    expires: now + lapse(),
                    ..lease
                };
                write(&mut tx, &lease).await?;
                LeaseTaken::Held(lease)
            }
            Some(lease) if lease.holder != holder && lease.holds_at(now) => {
                tx.rollback().await?;
                return Ok(LeaseTaken::Held(lease));
            }
            found => {
                let ours = found
                    .as_ref()
                    .filter(|l| l.holder == holder && l.holds_at(now));
                let acquired = ours.map_or(now, |l| l.acquired);
                let lease = Lease {
                    name: name.into(),
                    holder: holder.into(),
                    acquired,
                    renewed: now,
                    expires: now + lapse(),
                };
                write(&mut tx, &lease).await?;
                let lapsed_from = found.map(|l| l.holder).filter(|h| h != holder);
                LeaseTaken::Taken { lease, lapsed_from }
            }
        };
        tx.commit().await?;
        Ok(outcome)
    }

    /// Renews a lease that the caller has. `now` is real time.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it lapsed (even if nobody took it: what was counted on it starts over), is
    /// another's, or was released; and as every write.
    pub async fn renew_lease(
        &self,
        name: &str,
        holder: &str,
        now: Instant,
    ) -> Result<Lease, StoreError> {
        let mut tx = self.begin("renewing a lease").await?;
        let lease = self.held(&mut tx, name, holder, now).await?;
        let lease = Lease {
            renewed: now,
            expires: now + lapse(),
            ..lease
        };
        write(&mut tx, &lease).await?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Gives the lease to somebody else in one step, as in a handoff. `now` is real time.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when `from` does not hold it, and as every write.
    pub async fn hand_lease(
        &self,
        name: &str,
        from: &str,
        to: &str,
        now: Instant,
    ) -> Result<Lease, StoreError> {
        at_most("The lease's holder", to.len(), MAX_NAME)?;
        let mut tx = self.begin("handing a lease over").await?;
        self.held(&mut tx, name, from, now).await?;
        let lease = Lease {
            name: name.into(),
            holder: to.into(),
            acquired: now,
            renewed: now,
            expires: now + lapse(),
        };
        write(&mut tx, &lease).await?;
        tx.commit().await?;
        Ok(lease)
    }

    /// Gives the lease back; `false` when the caller did not have it.
    ///
    /// # Errors
    /// As every write.
    pub async fn release_lease(&self, name: &str, holder: &str) -> Result<bool, StoreError> {
        let mut tx = self.begin("releasing a lease").await?;
        let done = sqlx::query("DELETE FROM lease WHERE name = ?1 AND holder = ?2")
            .bind(name)
            .bind(holder)
            .execute(tx.conn())
            .await
            .map_err(|e| tx.failed(e))?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// All leases and locks, lapsed ones too, by name.
    ///
    /// # Errors
    /// As every read.
    pub async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, holder, acquired, renewed, expires FROM lease ORDER BY name",
        )
        .fetch_all(self.readers())
        .await
        .map_err(|e| named(self.file(), "reading the leases", e))?;
        rows.into_iter().map(|row| self.lease(row)).collect()
    }

    async fn lease_in(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
    ) -> Result<Option<Lease>, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT name, holder, acquired, renewed, expires FROM lease WHERE name = ?1",
        )
        .bind(name)
        .fetch_optional(tx.conn())
        .await
        .map_err(|e| tx.failed(e))?;
        row.map(|row| self.lease(row)).transpose()
    }

    /// The lease, if `holder` has it at `now`.
    async fn held(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        holder: &str,
        now: Instant,
    ) -> Result<Lease, StoreError> {
        let found = self.lease_in(tx, name).await?;
        let now_with = match found {
            Some(lease) if lease.holder == holder && lease.holds_at(now) => return Ok(lease),
            Some(lease) if lease.holder == holder => {
                format!("it lapsed at {}", time_text(lease.expires))
            }
            Some(lease) => format!("{} has it", shown(&lease.holder)),
            None => "nobody has it".to_string(),
        };
        Err(StoreError::LeaseLost {
            name: shown(name),
            now_with,
        })
    }

    fn lease(&self, (name, holder, acquired, renewed, expires): Row) -> Result<Lease, StoreError> {
        let time = |text: &str| self.time("lease", text);
        Ok(Lease {
            name,
            holder,
            acquired: time(&acquired)?,
            renewed: time(&renewed)?,
            expires: time(&expires)?,
        })
    }
}

type Row = (String, String, String, String, String);

fn lapse() -> TimeDelta {
    TimeDelta::seconds(LAPSE_AFTER.as_secs().try_into().unwrap_or(i64::MAX))
}

/// Refuses an append whose lease is not held.
pub(super) async fn must_hold(
    store: &Store,
    tx: &mut WriteTx<'_>,
    holding: &Holding,
) -> Result<(), StoreError> {
    store
        .held(tx, &holding.lease, &holding.holder, holding.now)
        .await
        .map(|_| ())
}

async fn write(tx: &mut WriteTx<'_>, lease: &Lease) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO lease (name, holder, acquired, renewed, expires) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(&lease.name)
        .bind(&lease.holder)
        .bind(time_text(lease.acquired))
        .bind(time_text(lease.renewed))
        .bind(time_text(lease.expires))
        .execute(tx.conn())
        .await
        .map_err(|e| tx.failed(e))?;
    Ok(())
}
