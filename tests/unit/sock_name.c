/* The names of /sock. */
#include "sock.h"

TestSuite(sock_name, .init = setup, .fini = teardown, .timeout = 30);

Test(sock_name, types_of_the_files)
{
	struct stat st;

	cr_assert_eq(u_create_type("x", S_IFREG | 0640), 0);
	cr_assert_eq(u_create_type("x", S_IFREG | 0640), -EEXIST);
	cr_assert_eq(u_stat("x", &st), 0);
	cr_assert_eq(st.st_mode, S_IFREG | 0640);
	cr_assert_eq(u_stat("x@addr", &st), -EINPROGRESS);
	cr_assert_eq(u_stat("x@listen", &st), 0);
	cr_assert(S_ISREG(st.st_mode));
	cr_assert_eq(u_create_type("n", S_IFSOCK | 0755), 0);
	cr_assert_eq(u_stat("n", &st), 0);
	cr_assert(S_ISSOCK(st.st_mode));
	cr_assert_eq(u_stat("n@io", &st), 0);
	cr_assert(S_ISREG(st.st_mode));
	cr_assert_eq(u_stat("n@addr", &st), 0);
	cr_assert(S_ISSOCK(st.st_mode), "what a server has bound is its own address");
	cr_assert_eq(u_create_type("f", S_IFIFO | 0644), -EPERM);
}

Test(sock_name, contradicting_creation_facets_are_EEXIST)
{
	struct ipc_handle *h;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(u_handle("x@dgram", O_WRONLY, &h), -EEXIST);
	cr_assert(strstr(errors(), "stream"), "%s", errors());
	cr_assert_eq(u_handle("x@connect=@there", O_WRONLY, &h), -EEXIST);
	cr_assert_eq(u_handle("x@stream", O_WRONLY, &h), 0);
	ipc_close(h);
}

Test(sock_name, native_client_reaches_the_address_with_the_channels_mode)
{
	char path[108];
	struct stat st;
	struct ipc_handle *s;
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;
	int fd;

	cr_assert_eq(u_create_type("x", S_IFREG | 0606), 0);
	address_bind("x", path, sizeof(path));
	cr_assert_eq(u_stat("x@addr", &st), 0);
	cr_assert_eq(st.st_mode, S_IFSOCK | 0606);
	ref = u_named("x");
	st.st_mode = 0620;
	cr_assert_eq(ipc_chattr(u_ipc, &cred, &ref, NULL, &st, IPC_SET_MODE), 0);
	cr_assert_eq(u_stat("x@addr", &st), 0);
	cr_assert_eq(st.st_mode, S_IFSOCK | 0620);
	fd = native_connect("x", SOCK_STREAM);
	cr_assert_eq(write(fd, "native", 6), 6);
	s = opened("x@listen", O_RDWR);
	expect_get(s, "native");
	cr_assert(strstr(ctl("x"), "type=stream\n"));
	cr_assert(strstr(ctl("x"), "connection=pid:"), "%s", ctl("x"));
	ipc_close(s);
	close(fd);
}

Test(sock_name, unlink_removes_the_address_and_spares_connections)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;
	struct ipc_handle *s, *c;
	struct stat st;
	char path[108];

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	address_bind("x", path, sizeof(path));
	c = opened("x", O_RDWR);
	s = opened("x@listen", O_RDWR);
	ref = u_named("x");
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(u_stat("x", &st), -ENOENT);
	cr_assert_eq(u_stat("x@addr", &st), -ENOENT);
	cr_assert_eq(native_connect_to(path, SOCK_STREAM), -ECONNREFUSED);
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), -ENOENT);
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	put(c, "on", 2);
	expect_get(s, "on");
	ipc_close(c);
	ipc_close(s);
}

Test(sock_name, unlink_ends_the_wait_for_a_client)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;
	struct ipc_handle *s, *r, *late, *w;
	struct u_call accept = {.done = false}, reading = {.done = false};
	char buf[8];

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(u_handle("x@listen", O_RDWR, &s), 0);
	begin(&accept, s, IPC_OPEN, false);
	r = opened("x", O_RDONLY);
	begin_read(&reading, r, 8, false);
	ref = u_named("x");
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	cr_assert_eq(finish(&accept), -ENOENT);
	cr_assert_eq(finish(&reading), 0);
	ipc_close(s);
	ipc_close(r);

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	late = opened("x", O_RDONLY);
	w = opened("x", O_WRONLY);
	put(w, "kept", 4);
	ipc_close(w);
	ref = u_named("x");
	cr_assert_eq(ipc_unlink(u_ipc, &cred, &ref), 0);
	expect_get(late, "kept");
	cr_assert_eq(get(late, 8, buf), 0);
	ipc_close(late);
}

Test(sock_name, stale_inode_is_ESTALE_and_harms_nothing)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref ref;
	struct ipc_handle *h;
	struct stat old, new;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	u_stat("x", &old);
	ref = u_named("x");
	ipc_unlink(u_ipc, &cred, &ref);
	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(ipc_handle_new(u_ipc, &cred, &ref, O_RDONLY, old.st_ino, &h), -ESTALE);
	cr_assert_eq(u_stat("x", &new), 0);
	cr_assert_neq(new.st_ino, old.st_ino);
}

Test(sock_name, rename_keeps_the_address_and_replaces_the_target)
{
	struct ipc_cred cred = u_me();
	struct ipc_ref from, to;
	char path[108], gone[108], after[108];
	struct stat st;

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	cr_assert_eq(u_create_type("y", S_IFREG | 0644), 0);
	address_bind("x", path, sizeof(path));
	address_bind("y", gone, sizeof(gone));
	from = u_named("x");
	to = u_named("y");
	cr_assert_eq(ipc_rename(u_ipc, &cred, &from, &to, 0), 0);
	address_bind("y", after, sizeof(after));
	cr_assert_str_eq(after, path);
	close(native_connect_to(path, SOCK_STREAM));
	cr_assert_eq(native_connect_to(gone, SOCK_STREAM), -ECONNREFUSED);
	cr_assert_eq(u_stat("x", &st), -ENOENT);
}

Test(sock_name, address_of_a_name_that_goes_while_it_is_bound)
{
	struct address_look a = {.look = {.cred = u_me(), .done = address_looked}};
	struct ipc_ref ref;

	cr_assert_eq(u_create_type("x@dgram", S_IFREG | 0644), 0);
	ref = u_named("x");
	a.look.ref = u_named("x@addr");
	cr_assert_eq(ipc_look(u_ipc, &a.look), 0);
	cr_assert_eq(ipc_unlink(u_ipc, &a.look.cred, &ref), 0);
	while (!a.done)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	cr_assert_eq(a.look.result, -ENOENT);
}

Test(sock_name, one_users_walks_leave_helpers_to_others)
{
	static struct ipc_share taken[IPC_WALKS_OF_USER_MAX];
	struct address_look a = {.look = {.cred = u_me(), .done = address_looked}}, b = a;

	for (int i = 0; i < IPC_WALKS_OF_USER_MAX; i++)
		ipc_share_add(&u_ipc->looking, &taken[i], 4711);
	/* His own ask again until one of them is over; another's go on. */
	b.look.cred.uid = 4711;
	a.look.ref = b.look.ref = u_named("f@connect=/usr");
	cr_assert_eq(ipc_look(u_ipc, &b.look), 0);
	cr_assert_eq(ipc_look(u_ipc, &a.look), 0);
	while (!a.done)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	cr_assert_not(b.done);
	ipc_share_give(&taken[0]);
	while (!b.done)
		cr_assert_eq(ipc_loop_turn(u_loop, 20), 0);
	for (int i = 0; i < IPC_WALKS_OF_USER_MAX; i++)
		ipc_share_give(&taken[i]);
	cr_assert(ipc_list_empty(&u_ipc->looking));
}

Test(sock_name, look_up_of_an_address_can_be_given_up)
{
	struct address_look a = {.look = {.cred = u_me(), .done = address_looked}};

	cr_assert_eq(u_create_type("x", S_IFREG | 0644), 0);
	a.look.ref = u_named("x@addr");
	cr_assert_eq(ipc_look(u_ipc, &a.look), 0);
	ipc_look_cancel(&a.look);
	cr_assert(a.done);
	cr_assert_eq(a.look.result, -EINTR);
	close(native_connect("x", SOCK_STREAM));
}
