//! EXPLAIN of the query functions. To PostgreSQL they are functions that give rows; how they come by them is told here, in
//! the form of its plans, with what was really read where the statement is executed.

mod tree;

use core::ffi::{CStr, c_char, c_int};
use std::ffi::CString;
use std::time::Instant;

use engine::Doc;
use pgrx::pg_sys::{self, Datum};

use crate::access::examined;
use crate::error::{Result, boundary_as, internal};
use crate::read;
use crate::sys::payload;
use tree::{Command, Node};

/// Makes EXPLAIN ask here. Once per backend.
pub fn install() {
    // SAFETY: the loader calls this on the main thread; the hook that was there is asked for what is not ours.
    unsafe {
        PREVIOUS = pg_sys::ExplainOneQuery_hook;
        pg_sys::ExplainOneQuery_hook = Some(explain_one);
    }
}

static mut PREVIOUS: pg_sys::ExplainOneQuery_hook_type = None;

/// A call of one of the query functions, found in a query.
struct Asked {
    command: Command,
    database: String,
    spec: Vec<u8>,
}

/// PostgreSQL's hook.
///
/// # Safety
/// Called by PostgreSQL's EXPLAIN only.
unsafe extern "C-unwind" fn explain_one(
    query: *mut pg_sys::Query,
    options: c_int,
    into: *mut pg_sys::IntoClause,
    es: *mut pg_sys::ExplainState,
    text: *const c_char,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
) {
    // SAFETY: everything comes from EXPLAIN, and nothing of this frame has a destructor.
    unsafe {
        let done = boundary_as(|| {
            let Some(asked) = asked(query, params)? else { return Ok(false) };
            tell(&asked, es)?;
            Ok(true)
        });
        if done {
            return;
        }
        if let Some(previous) = PREVIOUS {
            return previous(query, options, into, es, text, params, environment);
        }
        // What EXPLAIN does without a hook.
        let begun = Instant::now();
        let plan = pg_sys::pg_plan_query(query, text, options, params);
        let took = begun.elapsed();
        let took =
            pg_sys::instr_time { tv_sec: took.as_secs() as i64, tv_nsec: i64::from(took.subsec_nanos()) };
        pg_sys::ExplainOnePlan(plan, into, es, text, params, environment, &took, core::ptr::null());
    }
}

/// The call, if the query is `SELECT … FROM` one of our functions and nothing else.
///
/// # Safety
/// `query` and `params` are EXPLAIN's.
unsafe fn asked(query: *mut pg_sys::Query, params: pg_sys::ParamListInfo) -> Result<Option<Asked>> {
    // SAFETY: the caller's promise; lists and nodes are what the parser made.
    unsafe {
        let query = &*query;
        if query.commandType != pg_sys::CmdType::CMD_SELECT || length(query.rtable) != 1 {
            return Ok(None);
        }
        let entry = &*pg_sys::list_nth(query.rtable, 0).cast::<pg_sys::RangeTblEntry>();
        if entry.rtekind != pg_sys::RTEKind::RTE_FUNCTION || length(entry.functions) != 1 {
            return Ok(None);
        }
        let function = &*pg_sys::list_nth(entry.functions, 0).cast::<pg_sys::RangeTblFunction>();
        if function.funcexpr.is_null() || (*function.funcexpr).type_ != pg_sys::NodeTag::T_FuncExpr {
            return Ok(None);
        }
        let call = &*function.funcexpr.cast::<pg_sys::FuncExpr>();
        let name = pg_sys::get_func_name(call.funcid);
        if name.is_null() || length(call.args) != 2 {
            return Ok(None);
        }
        let Some(command) = CStr::from_ptr(name).to_str().ok().and_then(Command::of) else { return Ok(None) };
        let schema = pg_sys::get_namespace_oid(c"documentdb_api_catalog".as_ptr(), true);
        if pg_sys::get_func_namespace(call.funcid) != schema {
            return Ok(None);
        }
        let (Some(database), Some(spec)) = (
            value(pg_sys::list_nth(call.args, 0).cast(), params),
            value(pg_sys::list_nth(call.args, 1).cast(), params),
        ) else {
            return Ok(None);
        };
        let database = String::from_utf8(database).map_err(|_| internal("a database's name is no UTF-8"))?;
        Ok(Some(Asked { command, database, spec }))
    }
}

/// # Safety
/// `list` is a list or null.
unsafe fn length(list: *const pg_sys::List) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { list.as_ref() }.map_or(0, |list| list.length)
}

/// The bytes of an argument; `None` for NULL.
///
/// # Safety
/// `expression` is an argument of a type with a length, `params` are those of the statement.
unsafe fn value(expression: *mut pg_sys::Expr, params: pg_sys::ParamListInfo) -> Option<Vec<u8>> {
    // SAFETY: an expression without variables, evaluated as utility commands do; the bytes are copied before the memory goes.
    unsafe {
        let state = pg_sys::CreateExecutorState();
        (*state).es_param_list_info = params;
        let ready = pg_sys::ExecPrepareExpr(expression, state);
        let context = pg_sys::MakePerTupleExprContext(state);
        let mut null = false;
        let datum: Datum = pg_sys::ExecEvalExprSwitchContext(ready, context, &mut null);
        let bytes = (!null).then(|| payload(datum).0.to_vec());
        pg_sys::FreeExecutorState(state);
        bytes
    }
}

/// What a run gave.
struct Ran {
    rows: i64,
    seen: i64,
    found: i64,
    milliseconds: f64,
}

fn tell(asked: &Asked, es: *mut pg_sys::ExplainState) -> Result<()> {
    let spec = Doc::trusted(&asked.spec);
    let begun = Instant::now();
    let node = asked.command.plan(&asked.database, spec)?;
    let planned = begun.elapsed().as_secs_f64() * 1_000.0;
    // SAFETY: EXPLAIN's own state.
    let analyze = unsafe { (*es).analyze };
    let ran = if analyze { Some(run(asked)?) } else { None };
    let out = Out(es);
    out.open(c"Query", None);
    out.node(&node, ran.as_ref(), true);
    // SAFETY: as above.
    if unsafe { (*es).summary } {
        out.float(c"Planning Time", planned);
        if let Some(ran) = &ran {
            out.float(c"Execution Time", ran.milliseconds);
        }
    }
    out.close(c"Query", None);
    Ok(())
}

fn run(asked: &Asked) -> Result<Ran> {
    let (db, spec) = (asked.database.as_str(), Doc::trusted(&asked.spec));
    let begun = Instant::now();
    examined::reset();
    let rows = match asked.command {
        Command::Find => read::found(db, spec)?.len(),
        Command::Pipeline => read::collected(db, spec)?.len(),
        Command::Count | Command::Distinct => {
            if asked.command == Command::Count {
                read::count_reply(db, spec)?
            } else {
                read::distinct_reply(db, spec)?
            };
            1
        }
    };
    let (seen, found) = examined::total();
    let whole = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(Ran {
        rows: i64::try_from(rows).unwrap_or(i64::MAX),
        seen: whole(seen),
        found: whole(found),
        milliseconds: begun.elapsed().as_secs_f64() * 1_000.0,
    })
}

/// EXPLAIN's output, in whichever format was asked for.
struct Out(*mut pg_sys::ExplainState);

impl Out {
    fn node(&self, node: &Node, ran: Option<&Ran>, top: bool) {
        if top {
            self.open(c"Plan", Some(c"Plan"));
        } else {
            self.open(c"Plan", None);
        }
        self.text(c"Node Type", node.kind);
        if !top {
            self.text(c"Parent Relationship", "Outer");
        }
        if let Some(index) = &node.index {
            self.text(c"Scan Direction", if node.backward { "Backward" } else { "Forward" });
            self.text(c"Index Name", index);
        }
        if let Some(ran) = ran {
            // What passes between the steps above the scan is not counted.
            let rows = if top { Some(ran.rows) } else { node.finds.then_some(ran.found) };
            if let Some(rows) = rows {
                self.integer(c"Actual Rows", rows);
                self.integer(c"Actual Loops", 1);
                self.float(c"Actual Total Time", ran.milliseconds);
            }
            if node.finds {
                let kept = rows.unwrap_or(ran.found);
                self.integer(c"Rows Removed by Filter", ran.seen.saturating_sub(kept).max(0));
            }
        }
        if !node.below.is_empty() {
            self.open(c"Plans", Some(c"Plans"));
            for below in &node.below {
                self.node(below, ran, false);
            }
            self.close(c"Plans", Some(c"Plans"));
        }
        self.close(c"Plan", if top { Some(c"Plan") } else { None });
    }

    fn open(&self, kind: &CStr, label: Option<&CStr>) {
        let labeled = kind != c"Plans";
        // SAFETY: EXPLAIN's own state and C strings, which it copies.
        unsafe { pg_sys::ExplainOpenGroup(kind.as_ptr(), pointer(label), labeled, self.0) }
    }

    fn close(&self, kind: &CStr, label: Option<&CStr>) {
        let labeled = kind != c"Plans";
        // SAFETY: as above.
        unsafe { pg_sys::ExplainCloseGroup(kind.as_ptr(), pointer(label), labeled, self.0) }
    }

    fn text(&self, name: &CStr, value: &str) {
        // A NUL can't be in a name that the catalog has.
        let value = CString::new(value).unwrap_or_default();
        // SAFETY: as above.
        unsafe { pg_sys::ExplainPropertyText(name.as_ptr(), value.as_ptr(), self.0) }
    }

    fn integer(&self, name: &CStr, value: i64) {
        // SAFETY: as above.
        unsafe { pg_sys::ExplainPropertyInteger(name.as_ptr(), core::ptr::null(), value, self.0) }
    }

    fn float(&self, name: &CStr, value: f64) {
        // SAFETY: as above.
        unsafe { pg_sys::ExplainPropertyFloat(name.as_ptr(), c"ms".as_ptr(), value, 3, self.0) }
    }
}

fn pointer(label: Option<&CStr>) -> *const c_char {
    label.map_or(core::ptr::null(), CStr::as_ptr)
}
