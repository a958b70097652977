//! Users, accounts and the audit log.

use http::StatusCode;
use jiff::SignedDuration;

use super::world::{EVIL, PASSWORD, World};
use crate::console::audit::Action;
use crate::console::role::Role;

#[tokio::test]
async fn an_admin_adds_changes_and_disables_users_and_all_of_it_is_written_down() {
    let world = World::with_users();
    let mut admin = world.signed_in("admin").await;
    admin.get("/console/users").await.says("operator").says("可登录");
    let add = [("name", "Wang.Wu"), ("role", "viewer"), ("password", PASSWORD)];
    assert_eq!(admin.post("/console/users/add", &add).await.location(), "/console/users?done=added");
    assert_eq!(admin.post("/console/users/add", &add).await.location(), "/console/users?done=taken");
    for (name, password, expected) in [(EVIL, PASSWORD, "name"), ("zhao", "short", "weak")] {
        let fields = [("name", name), ("role", "viewer"), ("password", password)];
        let location = format!("/console/users?done={expected}");
        assert_eq!(admin.post("/console/users/add", &fields).await.location(), location);
    }
    let mut wang = world.signed_in("wang.wu").await;
    assert_eq!(wang.get("/console/users").await.status, StatusCode::FORBIDDEN);
    let fields = [("name", "wang.wu"), ("role", "operator"), ("reason", EVIL)];
    assert_eq!(admin.post("/console/users/role", &fields).await.location(), "/console/users?done=changed");
    assert_eq!(wang.get("/console").await.status, StatusCode::SEE_OTHER, "a change signs the user out");
    let fields = [("name", "wang.wu"), ("reason", "离职")];
    assert_eq!(admin.post("/console/users/disable", &fields).await.location(), "/console/users?done=changed");
    admin.get("/console/users").await.says("已停用");
    assert_eq!(admin.post("/console/users/enable", &fields).await.location(), "/console/users?done=changed");
    let fields = [("name", "wang.wu"), ("reason", "忘记密码"), ("password", "another horse battery")];
    assert_eq!(admin.post("/console/users/password", &fields).await.location(), "/console/users?done=changed");
    let actions: Vec<Action> = world.audit().into_iter().take(4).map(|(_, action, ..)| action).collect();
    assert_eq!(actions, [Action::PasswordSet, Action::UserEnabled, Action::UserDisabled, Action::UserRoleChanged]);
    admin
        .get("/console/audit?subject=user%3Awang.wu")
        .await
        .says("离职")
        .says("&lt;script&gt;")
        .says_not("<script>alert");
    admin.get("/console/audit?action=user.disable").await.says("离职").says_not("忘记密码");
    admin.get("/console/audit?user=nobody").await.says("没有符合条件的记录");
}

#[tokio::test]
async fn nothing_is_done_without_a_reason_and_the_last_admin_stays() {
    let world = World::with_users();
    let mut admin = world.signed_in("admin").await;
    let fields = [("name", "viewer"), ("reason", " ")];
    assert_eq!(admin.post("/console/users/disable", &fields).await.location(), "/console/users?done=reason");
    for (path, role) in [("/console/users/disable", None), ("/console/users/role", Some(("role", "viewer")))] {
        let fields: Vec<_> = [("name", "admin"), ("reason", "test")].into_iter().chain(role).collect();
        assert_eq!(admin.post(path, &fields).await.location(), "/console/users?done=refused");
    }
    let user = world.store.user("admin").unwrap().unwrap();
    assert_eq!((user.role, user.disabled_at), (Role::Admin, None));
    assert!(world.store.user("viewer").unwrap().unwrap().disabled_at.is_none());
}

#[tokio::test]
async fn only_an_admin_gives_orders_about_users() {
    let world = World::with_users();
    let mut operator = world.signed_in("operator").await;
    operator.get("/console").await;
    let fields = [("name", "operator"), ("role", "admin"), ("reason", "test"), ("password", PASSWORD)];
    for order in ["add", "role", "password", "disable", "enable"] {
        let answer = operator.post(&format!("/console/users/{order}"), &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{order}");
    }
    assert_eq!(world.store.user("operator").unwrap().unwrap().role, Role::Operator);
}

#[tokio::test]
async fn everybody_changes_their_own_password_and_stays_signed_in_here_alone() {
    let world = World::with_users();
    let mut here = world.signed_in("viewer").await;
    let mut elsewhere = world.signed_in("viewer").await;
    here.get("/console/account").await.says("修改密码");
    let change = |current: &'static str, new: &'static str| [("current", current), ("new", new)];
    let wrong = here.post("/console/account", &change("wrong", "another horse battery")).await;
    assert_eq!(wrong.location(), "/console/account?done=wrong");
    let weak = here.post("/console/account", &change(PASSWORD, "short")).await;
    assert_eq!(weak.location(), "/console/account?done=weak");
    for _ in 0..4 {
        here.post("/console/account", &change("wrong", "another horse battery")).await;
    }
    let slowed = here.post("/console/account", &change(PASSWORD, "another horse battery")).await;
    assert_eq!(slowed.location(), "/console/account?done=too-often");
    here.get(slowed.location()).await.says("失败次数过多");
    world.advance(SignedDuration::from_mins(1));
    let right = here.post("/console/account", &change(PASSWORD, "another horse battery")).await;
    assert_eq!(right.location(), "/console/account?done=changed");
    assert_eq!(here.get("/console/account?done=changed").await.status, StatusCode::OK);
    assert_eq!(elsewhere.get("/console").await.status, StatusCode::SEE_OTHER);
    let (user, action, subject, _) = world.audit().remove(0);
    assert_eq!((user.as_str(), action, subject.as_str()), ("viewer", Action::PasswordSet, "user:viewer"));
}

#[tokio::test]
async fn the_audit_log_has_pages_and_no_way_to_change_it() {
    let world = World::with_users();
    for _ in 0..60 {
        world.advance(SignedDuration::from_mins(61));
        let mut browser = world.browser();
        browser.get("/console/sign-in").await;
        browser.post("/console/sign-in", &[("name", "viewer"), ("password", "wrong")]).await;
    }
    let mut admin = world.signed_in("admin").await;
    let first = admin.get("/console/audit").await;
    let rows = |text: &str| text.matches("<tr>").count() - 1;
    assert_eq!(rows(&first.text), 50);
    let next =
        first.text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = admin.get(&next).await;
    assert_eq!(rows(&second.text), 60 + 3 + 1 - 50);
    second.says_not("rel=\"next\"");
}
