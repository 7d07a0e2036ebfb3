/* SPDX-License-Identifier: Apache-2.0 */
//! What the two tokio services do for one request: call out through reqwest and through hyper's own
//! client, from the request's task and from a task of its own. With PLAIN set, one call after the
//! other and no ticker: what looks most like one thread per request.
//!
//! Room rule: ordinary code that knows nothing about tracing and nothing about the server above it.

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::{collections::HashMap, env, error::Error, time::Duration};

pub type Failure = Box<dyn Error + Send + Sync>;
pub type Arguments = HashMap<String, String>;

#[derive(Clone)]
pub struct Calls {
    upstream: String,
    decoy: String,
    plain: bool,
    fresh: reqwest::Client,
    pooled: reqwest::Client,
}

/// Where to listen.
pub fn address() -> Result<(&'static str, u16), Failure> {
    Ok(("127.0.0.1", env::var("PORT")?.parse()?))
}

impl Calls {
    pub fn new() -> Result<Self, Failure> {
        let client = || reqwest::Client::builder().timeout(Duration::from_secs(20));
        Ok(Calls {
            upstream: env::var("UPSTREAM")?,
            decoy: env::var("DECOY")?,
            plain: env::var_os("PLAIN").is_some(),
            fresh: client().pool_max_idle_per_host(0).build()?,
            pooled: client().build()?,
        })
    }

    /// All calls of one request; id 0 only asks whether we are there. The error, also logged, is
    /// that of the first call that failed.
    pub async fn work(&self, id: &str) -> Result<(), Failure> {
        let outcome = if id == "0" { Ok(()) } else { self.legs(id).await };
        if let Err(why) = &outcome {
            eprintln!("{id}: {why}");
        }
        outcome
    }

    /// Work that belongs to no request: whatever it carries is wrong.
    pub async fn tick(self) {
        while !self.plain {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let _ = self.get(&self.pooled, "none", "tick").await;
        }
    }

    async fn legs(&self, id: &str) -> Result<(), Failure> {
        self.get(&self.fresh, id, "new").await?;
        pause(id).await;
        self.post(id, "b").await?;
        if self.plain {
            return self.get(&self.pooled, id, "pool").await;
        }
        let (calls, owned) = (self.clone(), id.to_owned());
        let task = tokio::spawn(async move { calls.get(&calls.pooled, &owned, "task").await });
        let (pool, bare) = tokio::join!(self.get(&self.pooled, id, "pool"), self.bare(id, "bare"));
        pool.and(bare).and(task.await?)
    }

    fn url(&self, id: &str, leg: &str) -> String {
        format!("http://{}/?id={id}&leg={leg}", self.upstream)
    }

    async fn get(&self, client: &reqwest::Client, id: &str, leg: &str) -> Result<(), Failure> {
        let answer = client.get(self.url(id, leg)).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn post(&self, id: &str, leg: &str) -> Result<(), Failure> {
        let request = self.pooled.post(self.url(id, leg)).body(format!("{}{id}", self.decoy));
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    /// hyper without a pool: the connection is a task of its own and writes what this one queued.
    async fn bare(&self, id: &str, leg: &str) -> Result<(), Failure> {
        let stream = tokio::net::TcpStream::connect(&self.upstream).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        for part in ["1", "2"] {
            let request = hyper::Request::get(format!("/?id={id}&leg={leg}{part}"))
                .header("host", &self.upstream)
                .body(Full::<Bytes>::default())?;
            let answer = sender.send_request(request).await?;
            if !answer.status().is_success() {
                return Err(format!("upstream answered {}", answer.status()).into());
            }
            answer.into_body().collect().await?;
            pause(id).await;
        }
        Ok(())
    }
}

/// Different ids sleep differently long, so that requests overtake each other.
async fn pause(id: &str) {
    let spread = id.bytes().map(u64::from).sum::<u64>() % 6;
    tokio::time::sleep(Duration::from_millis(spread)).await;
}
