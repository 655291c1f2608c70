//! The tenant with what Yagura writes of itself: where tenants are not told apart it can be read by its name, and
//! nothing that a request does changes it.

use super::*;

/// It is `b` here; where nobody names it, requests are of `anonymous`.
fn world(auth: Option<Auth>) -> World {
    let own_tenant = Some(TenantId::new("b").unwrap());
    World::of(Fixture { own_tenant, auth, ..Fixture::default() })
}

/// What a request may touch, or that it is refused.
fn expected(method: &Method, path: &str, access: Access, header: &[&str]) -> Verdict {
    let changes = access == Access::Write || is_of_one_tenant(path) && *method != Method::GET;
    match header {
        ["b"] if changes => Verdict::Refused(403),
        ["b"] => Verdict::Served(["b".to_owned()].into()),
        _ => Verdict::Served(["anonymous".to_owned()].into()),
    }
}

#[tokio::test]
async fn it_is_read_by_its_name_and_changed_by_no_request() {
    let world = world(None);
    let (mut read, mut refused, mut of_others) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (path, access) in all_routes() {
        if access == Access::Open || NOBODYS.contains(&path.as_str()) {
            continue;
        }
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            for header in HEADERS {
                let (answer, touched) = world.send(request(&method, &path, None, header)).await;
                if answer.status == 405 {
                    assert!(touched.is_empty());
                    continue;
                }
                let method = if method == Method::HEAD { &Method::GET } else { &method };
                let want = expected(method, &path, access, header);
                check(&answer, &touched, &want, &format!("{method} {path} {header:?}"));
                match want {
                    Verdict::Refused(_) => {
                        assert!(answer.text().contains("monitoring.self_scrape"), "{}", answer.text());
                        refused.insert((method.clone(), path.clone()));
                    }
                    Verdict::Served(tenants) if touched == tenants && touched.contains("b") => {
                        read.insert(path.clone());
                    }
                    Verdict::Served(_) => of_others += usize::from(!touched.is_empty()),
                }
            }
        }
    }
    // Had they not reached any data this would have shown nothing.
    assert!(read.len() >= 50 && of_others >= 1000, "{} reads, {of_others} of others", read.len());
    assert!(read.contains("/loki/api/v1/tail") || read.contains("/loki/api/v1/query_range"));
    let writes = all_routes().values().filter(|access| **access == Access::Write).count();
    assert!(refused.len() >= writes + 10, "only {refused:?}");
    assert!(refused.contains(&(Method::POST, "/api/v1/admin/tsdb/delete_series".to_owned())));
    assert!(refused.contains(&(Method::DELETE, "/loki/api/v1/delete".to_owned())));
}

#[tokio::test]
async fn tokens_still_say_whose_data_may_be_read() {
    let world = world(Some(auth()));
    let ask = async |token, header: &'static [&'static str]| {
        let request = request(&Method::GET, "/api/v1/series", Some(token), header);
        let (answer, touched) = world.send(request).await;
        (answer.status.as_u16(), touched.into_iter().collect::<Vec<_>>())
    };
    assert_eq!(ask("canary-reader-of-all", &["b"]).await, (200, vec!["b".to_owned()]));
    assert_eq!(ask("canary-both-of-b", &["b"]).await, (200, vec!["b".to_owned()]));
    assert_eq!(ask("canary-reader-of-a", &["b"]).await, (403, vec![]));
    assert_eq!(ask("canary-writer-of-all", &["b"]).await, (403, vec![]));
    // Without the name the request is of everybody's tenant, which this token is not for.
    assert_eq!(ask("canary-both-of-b", &[]).await, (403, vec![]));
}

#[tokio::test]
async fn where_tenants_are_told_apart_it_is_one_of_them() {
    let multitenancy = Multitenancy { enabled: true, federation: true };
    let own_tenant = Some(TenantId::new("b").unwrap());
    let world = World::of(Fixture { multitenancy, own_tenant, ..Fixture::default() });
    for (header, want) in [(&["b"][..], vec!["b"]), (&["a|b"], vec!["a", "b"]), (&["a"], vec!["a"])] {
        let (answer, touched) = world.send(request(&Method::GET, "/api/v1/series", None, header)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(touched.into_iter().collect::<Vec<_>>(), want);
    }
    let (answer, touched) = world.send(request(&Method::POST, "/api/v1/write", None, &["b"])).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn everybodys_tenant_stays_everybodys() {
    let own_tenant = Some(TenantId::anonymous());
    let world = World::of(Fixture { own_tenant, ..Fixture::default() });
    let (answer, touched) = world.send(request(&Method::POST, "/api/v1/write", None, &["anonymous"])).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    assert_eq!(touched.into_iter().collect::<Vec<_>>(), ["anonymous"]);
}
