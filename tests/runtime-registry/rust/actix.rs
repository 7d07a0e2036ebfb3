/* SPDX-License-Identifier: Apache-2.0 */
//! Service under test: actix-web, which has a single-threaded event loop per worker. All of a
//! request happens on one thread here, between parts of other requests.
//!
//! Room rule: only the server; the calls are in calls.rs.

mod calls;

use actix_web::{web, App, HttpResponse, HttpServer};
use calls::{Arguments, Calls, Failure};

async fn serve(
    calls: web::Data<Calls>,
    arguments: web::Query<Arguments>,
    _body: web::Bytes,
) -> HttpResponse {
    let id = arguments.get("id").cloned().unwrap_or_default();
    match calls.work(&id).await {
        Ok(()) => HttpResponse::Ok().body(id),
        Err(why) => HttpResponse::BadGateway().body(why.to_string()),
    }
}

fn main() -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(async {
        let calls = Calls::new()?;
        tokio::spawn(calls.clone().tick());
        HttpServer::new(move || {
            let app = App::new().app_data(web::Data::new(calls.clone()));
            app.default_service(web::to(serve))
        })
        .workers(2)
        .bind(calls::address()?)?
        .run()
        .await?;
        Ok(())
    })
}
