//! Whose request it is said to be, and what a query of several tenants may take.

use super::*;
use http::Request;

const SEVERAL: Multitenancy = Multitenancy { enabled: true, federation: true };

/// The tenants that the headers name, or the error.
fn named_by(values: &[&str], rules: Multitenancy) -> Result<Vec<String>, String> {
    let request = values.iter().fold(Request::get("/"), |r, value| r.header(TENANT_HEADER, *value));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let tenancy = Tenancy { multitenancy: rules, own: None };
    let found = tenants(&parts, &tenancy, Use::Reads).map_err(|e| e.message.into_owned())?;
    Ok(found.all().map(TenantId::to_string).collect())
}

#[test]
fn several_tenants_are_sorted_and_each_is_read_once() {
    for (header, want) in [("b|a|c|a|b", &["a", "b", "c"][..]), ("a|a", &["a"]), ("a", &["a"])] {
        assert_eq!(named_by(&[header], SEVERAL).unwrap(), want, "{header}");
    }
}

#[test]
fn each_of_several_tenants_is_checked() {
    for (header, want) in [
        ("a|", "tenant ID is empty"),
        ("|", "tenant ID is empty"),
        ("a||b", "tenant ID is empty"),
        ("a|..", "tenant ID is '.' or '..'"),
        ("a| b", "tenant ID ' b' contains unsupported character ' '"),
        ("a|b/c", "tenant ID 'b/c' contains unsupported character '/'"),
    ] {
        assert_eq!(named_by(&[header], SEVERAL).unwrap_err(), want, "{header}");
    }
    let of = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>().join("|");
    assert_eq!(named_by(&[&of(100)], SEVERAL).unwrap().len(), 100);
    assert_eq!(named_by(&[&of(101)], SEVERAL).unwrap_err(), "more than 100 tenants in one query");
}

#[test]
fn one_tenant_is_one_name_unless_several_may_be_read() {
    let one = Multitenancy { enabled: true, federation: false };
    let refused = |name| {
        let why =
            "contains unsupported character '|' (queries of several tenants need multitenancy.federation)";
        Err(format!("tenant ID '{name}' {why}"))
    };
    assert_eq!(named_by(&["a|b"], one), refused("a|b"));
    assert_eq!(named_by(&["a|a"], one), refused("a|a"));
    assert_eq!(named_by(&["a", "a"], SEVERAL), Err("more than one X-Scope-OrgID header".into()));
    assert_eq!(named_by(&[], SEVERAL), Err("no org id".into()));
    assert_eq!(named_by(&["a|b"], Multitenancy::default()).unwrap(), ["anonymous"]);
}

#[test]
fn a_query_of_several_tenants_keeps_to_the_strictest_of_each_limit() {
    struct Each;

    impl LimitsSource for Each {
        fn limits(&self, tenant: &TenantId) -> Arc<Limits> {
            let all = Limits { query_memory: 10, query_timeout: 0, max_query_range: 0, ..Limits::default() };
            Arc::new(match tenant.as_str() {
                "a" => Limits { max_query_lines: 7, max_query_series: 9, ..all },
                "b" => Limits { query_memory: 5, query_timeout: 30, ..all },
                _ => Limits { query_timeout: 20, max_query_lines: 0, ..all },
            })
        }
    }

    let found = several("a|b|c").unwrap();
    let limits = found.limits(&Each);
    assert_eq!((limits.query_memory, limits.query_timeout), (5, 20));
    assert_eq!((limits.max_query_lines, limits.max_query_range), (7, 0));
    let ctx = found.context(&limits);
    assert_eq!(ctx.max_series, 9);
    assert_eq!((ctx.tenant.as_str(), ctx.also.len()), ("a", 2));
}
