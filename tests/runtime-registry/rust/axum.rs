/* SPDX-License-Identifier: Apache-2.0 */
//! Service under test: axum (hyper) on tokio. Any worker thread may run any part of any request
//! (work stealing), so the thread that read a head says nothing about whose work it does now.
//! `TOKIO=current` puts everything on one thread instead.
//!
//! Room rule: only the server; the calls are in calls.rs.

mod calls;

use axum::{body::Bytes, extract::Query, extract::State, http::StatusCode, routing::any, Router};
use calls::{Arguments, Calls, Failure};
use std::env;

async fn serve(
    State(calls): State<Calls>,
    Query(arguments): Query<Arguments>,
    _body: Bytes,
) -> Result<String, (StatusCode, String)> {
    let id = arguments.get("id").cloned().unwrap_or_default();
    match calls.work(&id).await {
        Ok(()) => Ok(id),
        Err(why) => Err((StatusCode::BAD_GATEWAY, why.to_string())),
    }
}

async fn run() -> Result<(), Failure> {
    let calls = Calls::new()?;
    let listener = tokio::net::TcpListener::bind(calls::address()?).await?;
    tokio::spawn(calls.clone().tick());
    let routes = Router::new().route("/", any(serve)).route("/{*rest}", any(serve));
    axum::serve(listener, routes.with_state(calls)).await?;
    Ok(())
}

fn main() -> Result<(), Failure> {
    let mut builder = match env::var("TOKIO").as_deref() {
        Ok("current") => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()?.block_on(run())
}
