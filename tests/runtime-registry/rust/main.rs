/* SPDX-License-Identifier: Apache-2.0 */
//! Service under test: axum on tokio, calling out through reqwest and through hyper's own client.
//!
//! Any worker thread may run any part of any request (work stealing), so the thread that read a head
//! says nothing about whose work it does now. `TOKIO=current` puts everything on one thread instead.
//! Room rule: an ordinary program that knows nothing about tracing; where to listen and whom to call
//! come from the environment (PORT, UPSTREAM=host:port).

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::StatusCode,
    routing::any,
    Router,
};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::{collections::HashMap, env, error::Error, time::Duration};

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
struct App {
    upstream: String,
    decoy: Bytes,
    fresh: reqwest::Client,
    pooled: reqwest::Client,
}

impl App {
    fn new() -> Result<Self, Failure> {
        let client = || reqwest::Client::builder().timeout(Duration::from_secs(20));
        Ok(App {
            upstream: env::var("UPSTREAM")?,
            decoy: Bytes::from(env::var("DECOY_BODY").unwrap_or_default()),
            fresh: client().pool_max_idle_per_host(0).build()?,
            pooled: client().build()?,
        })
    }

    fn url(&self, id: &str, leg: &str) -> String {
        format!("http://{}/u?id={id}&leg={leg}", self.upstream)
    }

    async fn get(&self, client: &reqwest::Client, id: &str, leg: &str) -> Result<(), Failure> {
        let answer = client.get(self.url(id, leg)).send().await?;
        answer.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn post(&self, id: &str, leg: &str) -> Result<(), Failure> {
        let request = self.pooled.post(self.url(id, leg)).body(self.decoy.clone());
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
            let request = hyper::Request::get(format!("/u?id={id}&leg={leg}{part}"))
                .header("host", &self.upstream)
                .body(Full::<Bytes>::default())?;
            let answer = sender.send_request(request).await?;
            if answer.status() != StatusCode::OK {
                return Err(format!("upstream answered {}", answer.status()).into());
            }
            answer.into_body().collect().await?;
            pause(id).await;
        }
        Ok(())
    }

    async fn work(&self, id: &str) -> Result<(), Failure> {
        self.get(&self.fresh, id, "new").await?;
        pause(id).await;
        self.post(id, "post").await?;
        let (app, owned) = (self.clone(), id.to_owned());
        let task = tokio::spawn(async move { app.get(&app.pooled, &owned, "task").await });
        let (pool, bare) = tokio::join!(self.get(&self.pooled, id, "pool"), self.bare(id, "bare"));
        pool.and(bare).and(task.await?)
    }
}

/// Different ids sleep differently long, so that requests overtake each other.
async fn pause(id: &str) {
    let spread = id.bytes().map(u64::from).sum::<u64>() % 6;
    tokio::time::sleep(Duration::from_millis(spread)).await;
}

async fn serve(
    State(app): State<App>,
    Query(query): Query<HashMap<String, String>>,
    _body: Bytes,
) -> Result<String, (StatusCode, String)> {
    let id = query.get("id").cloned().unwrap_or_default();
    match app.work(&id).await {
        Ok(()) => Ok(id),
        Err(why) => {
            eprintln!("{id}: {why}");
            Err((StatusCode::BAD_GATEWAY, why.to_string()))
        }
    }
}

/// Work that belongs to no request: whatever it carries is wrong.
async fn tick(app: App) {
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let _ = app.get(&app.pooled, "none", "tick").await;
    }
}

async fn run() -> Result<(), Failure> {
    let app = App::new()?;
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    tokio::spawn(tick(app.clone()));
    let routes = Router::new().route("/", any(serve)).route("/{*rest}", any(serve));
    axum::serve(listener, routes.with_state(app)).await?;
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut builder = match env::var("TOKIO").as_deref() {
        Ok("current") => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(run())
}
