/* SPDX-License-Identifier: Apache-2.0 */
//! Service under test: tiny_http and ureq, blocking throughout. Heads are read by threads that own
//! connections and are handed over a queue to the threads that do the work: the blocking program
//! that looks like one thread per request and is not.
//!
//! Room rule: ordinary code that knows nothing about tracing.

use std::{env, error::Error, sync::Arc, thread, time::Duration};
use tiny_http::{Request, Response, Server};
use ureq::Agent;

type Failure = Box<dyn Error + Send + Sync>;

const HANDLERS: usize = 32;

#[derive(Clone)]
struct Calls {
    upstream: String,
    decoy: String,
    pooled: Agent,
}

impl Calls {
    fn new() -> Result<Self, Failure> {
        Ok(Calls { upstream: env::var("UPSTREAM")?, decoy: env::var("DECOY")?, pooled: agent() })
    }

    fn url(&self, id: &str, leg: &str) -> String {
        format!("http://{}/?id={id}&leg={leg}", self.upstream)
    }

    fn get(&self, agent: &Agent, id: &str, leg: &str) -> Result<(), Failure> {
        agent.get(self.url(id, leg)).call()?.body_mut().read_to_vec()?;
        Ok(())
    }

    fn post(&self, id: &str, leg: &str) -> Result<(), Failure> {
        let mut answer = self.pooled.post(self.url(id, leg)).send(format!("{}{id}", self.decoy))?;
        answer.body_mut().read_to_vec()?;
        Ok(())
    }

    fn work(&self, id: &str) -> Result<(), Failure> {
        if id == "0" {
            return Ok(());
        }
        self.get(&agent(), id, "new")?;
        pause(id);
        self.post(id, "b")?;
        thread::scope(|scope| {
            let child = scope.spawn(|| self.get(&self.pooled, id, "child"));
            let own = self.get(&self.pooled, id, "pool");
            child.join().map_err(|_| "the child panicked")?.and(own)
        })
    }
}

fn agent() -> Agent {
    let patience = Some(Duration::from_secs(20));
    Agent::config_builder().timeout_global(patience).build().into()
}

/// Different ids sleep differently long, so that requests overtake each other.
fn pause(id: &str) {
    thread::sleep(Duration::from_millis(id.bytes().map(u64::from).sum::<u64>() % 6));
}

fn id(url: &str) -> &str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').find_map(|pair| pair.strip_prefix("id=")).unwrap_or("")
}

fn answer(calls: &Calls, mut request: Request) -> Result<(), Failure> {
    std::io::copy(request.as_reader(), &mut std::io::sink())?;
    let id = id(request.url()).to_owned();
    let response = match calls.work(&id) {
        Ok(()) => Response::from_string(id),
        Err(why) => {
            eprintln!("{id}: {why}");
            Response::from_string(why.to_string()).with_status_code(502)
        }
    };
    request.respond(response)?;
    Ok(())
}

fn handle(server: &Server, calls: &Calls) {
    while let Ok(request) = server.recv() {
        if let Err(why) = answer(calls, request) {
            eprintln!("{why}");
        }
    }
}

/// Work that belongs to no request: whatever it carries is wrong.
fn tick(calls: &Calls) {
    loop {
        thread::sleep(Duration::from_millis(10));
        let _ = calls.get(&calls.pooled, "none", "tick");
    }
}

fn main() -> Result<(), Failure> {
    let calls = Calls::new()?;
    let server = Arc::new(Server::http(format!("127.0.0.1:{}", env::var("PORT")?))?);
    let ticking = calls.clone();
    thread::spawn(move || tick(&ticking));
    let handlers: Vec<_> = (0..HANDLERS)
        .map(|_| {
            let (server, calls) = (server.clone(), calls.clone());
            thread::spawn(move || handle(&server, &calls))
        })
        .collect();
    for handler in handlers {
        handler.join().map_err(|_| "a handler panicked")?;
    }
    Ok(())
}
