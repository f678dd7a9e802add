#include "loop.h"

/* cppcheck-suppress unknownMacro */
TestSuite(loop, .init = setup, .fini = teardown, .timeout = 20);

/* Watches */

static uint32_t events_seen;

static void watch_see(struct ipc_watch *watch, uint32_t events)
{
	events_seen = events;
	record(watch);
}

Test(loop, ready_gets_the_events_of_its_descriptor)
{
	struct ipc_watch watch;
	int pair[2];

	cr_assert_eq(pipe(pair), 0);
	cr_assert_eq(ipc_watch_add(loop, &watch, pair[0], EPOLLIN, watch_see), 0);
	close(pair[1]);
	cr_assert_eq(ipc_loop_turn(loop, -1), 0);
	cr_assert_eq(events_seen, EPOLLHUP);
	close(pair[0]);
}

Test(loop, level_triggered_watch_is_called_again)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	run_until_traced(2);
	close(fd);
}

Test(loop, edge_triggered_watch_is_called_once)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_watch_add(loop, &watch, fd, EPOLLIN | EPOLLET, watch_record);
	run_until_traced(1);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 1);
	close(fd);
}

Test(loop, removed_watch_is_not_called)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	ipc_watch_remove(&watch);
	cr_assert_eq(watch.fd, -1);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 0);
	close(fd);
}

static struct ipc_watch *rival[2];

static void watch_free_rival(struct ipc_watch *watch, uint32_t events)
{
	int other = watch == rival[0];

	(void)events;
	record(watch);
	ipc_watch_remove(rival[other]);
	free(rival[other]);
}

Test(loop, fetched_event_of_a_removed_watch_is_dropped)
{
	int fd[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = eventfd_with(1);
		rival[i] = malloc(sizeof(*rival[i]));
		ipc_watch_add(loop, rival[i], fd[i], EPOLLIN, watch_free_rival);
	}
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 1);
	free((void *)trace[0]);
	close(fd[0]);
	close(fd[1]);
}

static void watch_free_itself(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	record(watch);
	ipc_watch_remove(watch);
	free(watch);
}

Test(loop, ready_may_free_its_own_watch)
{
	struct ipc_watch *watch = malloc(sizeof(*watch));
	int fd = eventfd_with(1);

	ipc_watch_add(loop, watch, fd, EPOLLIN, watch_free_itself);
	run_until_traced(1);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 1);
	close(fd);
}

Test(loop, removed_watch_can_be_added_again)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	ipc_watch_remove(&watch);
	cr_assert_eq(ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record), 0);
	run_until_traced(1);
	close(fd);
}

Test(loop, descriptor_that_epoll_refuses_is_an_error)
{
	struct ipc_watch watch;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record), -EPERM);
	cr_assert_eq(watch.fd, -1);
	close(fd);
}

/* Timers */

Test(loop, timers_expire_in_order_of_time)
{
	enum { COUNT = 50 };
	struct ipc_timer timers[COUNT] = {0};
	int64_t now = ipc_now();

	for (int i = 0; i < COUNT; i++)
		ipc_timer_start(loop, &timers[i], now + (i * 17 % COUNT) * 10 * US, timer_record);
	run_until_traced(COUNT);
	for (int i = 1; i < COUNT; i++)
		cr_assert_lt(((struct ipc_timer *)trace[i - 1])->when, ((struct ipc_timer *)trace[i])->when);
}

Test(loop, timers_keep_their_order_when_others_stop)
{
	enum { COUNT = 60 };
	struct ipc_timer timers[COUNT] = {0};
	int64_t now = ipc_now();

	for (int i = 0; i < COUNT; i++)
		ipc_timer_start(loop, &timers[i], now + (i * 17 % COUNT) * 10 * US, timer_record);
	for (int i = 0; i < COUNT; i += 3)
		ipc_timer_stop(loop, &timers[i]);
	run_until_traced(COUNT - COUNT / 3);
	for (int i = 1; i < COUNT - COUNT / 3; i++)
		cr_assert_lt(((struct ipc_timer *)trace[i - 1])->when, ((struct ipc_timer *)trace[i])->when);
}

Test(loop, timer_does_not_expire_early)
{
	struct ipc_timer timer = {0};
	int64_t when = ipc_now() + 1500 * US;

	ipc_timer_start(loop, &timer, when, timer_record);
	run_until_traced(1);
	cr_assert_geq(ipc_now(), when);
}

Test(loop, turn_sleeps_for_the_timer_instead_of_turning_idly)
{
	struct ipc_timer timer = {0};
	int turns = 0;

	ipc_timer_start(loop, &timer, ipc_now() + 2300 * US, timer_record);
	for (; !traced; turns++)
		ipc_loop_turn(loop, -1);
	cr_assert_leq(turns, 2);
}

Test(loop, stopped_timer_does_not_expire)
{
	struct ipc_timer stopped = {0}, other = {0};

	ipc_timer_start(loop, &stopped, ipc_now(), timer_record);
	ipc_timer_start(loop, &other, ipc_now() + 1 * MS, timer_record);
	ipc_timer_stop(loop, &stopped);
	cr_assert_eq(stopped.slot, 0);
	run_until_traced(1);
	cr_assert_eq(trace[0], &other);
}

Test(loop, stopping_an_idle_timer_is_harmless)
{
	struct ipc_timer timer = {0};

	ipc_timer_stop(loop, &timer);
	cr_assert_eq(timer.slot, 0);
}

Test(loop, restarted_timer_moves)
{
	struct ipc_timer moved = {0}, other = {0};
	int64_t now = ipc_now();

	ipc_timer_start(loop, &moved, now, timer_record);
	ipc_timer_start(loop, &other, now + 1 * MS, timer_record);
	ipc_timer_start(loop, &moved, now + 2 * MS, timer_record);
	run_until_traced(2);
	cr_assert_eq(trace[0], &other);
	cr_assert_eq(trace[1], &moved);
}

static void timer_restart_in_the_past(struct ipc_timer *timer)
{
	record(timer);
	ipc_timer_start(loop, timer, 0, timer_restart_in_the_past);
}

Test(loop, timer_that_restarts_itself_in_the_past_does_not_hold_up_the_loop)
{
	struct ipc_timer restless = {0}, other = {0};

	ipc_timer_start(loop, &restless, 1, timer_restart_in_the_past);
	ipc_timer_start(loop, &other, ipc_now(), timer_record);
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 2);
	cr_assert_eq(trace[1], &other);
}

Test(loop, turn_returns_at_its_timeout_before_a_later_timer)
{
	struct ipc_timer timer = {0};

	ipc_timer_start(loop, &timer, ipc_now() + 3600 * 1000 * MS, timer_record);
	cr_assert_eq(ipc_loop_turn(loop, 1), 0);
	cr_assert_eq(traced, 0);
}

/* Tasks */

Test(loop, task_runs_before_the_loop_sleeps)
{
	struct ipc_task task;

	ipc_task_init(&task, task_record);
	ipc_task_post(loop, &task);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 1);
}

Test(loop, tasks_run_in_the_order_of_posting)
{
	struct ipc_task first, second;

	ipc_task_init(&first, task_record);
	ipc_task_init(&second, task_record);
	ipc_task_post(loop, &first);
	ipc_task_post(loop, &second);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 2);
	cr_assert_eq(trace[0], &first);
}

Test(loop, task_posted_twice_runs_once)
{
	struct ipc_task task;

	ipc_task_init(&task, task_record);
	ipc_task_post(loop, &task);
	ipc_task_post(loop, &task);
	ipc_loop_turn(loop, 0);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 1);
}

static void task_post_itself(struct ipc_task *task)
{
	record(task);
	ipc_task_post(loop, task);
}

Test(loop, task_posted_by_a_task_waits_for_the_next_turn)
{
	struct ipc_task task;

	ipc_task_init(&task, task_post_itself);
	ipc_task_post(loop, &task);
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 1);
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 2);
}

Test(loop, task_that_posts_itself_does_not_starve_a_watch)
{
	struct ipc_watch watch;
	struct ipc_task task;
	int fd = eventfd_with(1);
	bool called = false;

	ipc_task_init(&task, task_post_itself);
	ipc_task_post(loop, &task);
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	for (int i = 0; i < 16; i++)
		ipc_loop_turn(loop, -1);
	for (size_t i = 0; i < traced; i++)
		called |= trace[i] == &watch;
	cr_assert(called);
	close(fd);
}

Test(loop, cancelled_task_does_not_run)
{
	struct ipc_task task;

	ipc_task_init(&task, task_record);
	ipc_task_post(loop, &task);
	ipc_task_cancel(&task);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 0);
}

static struct ipc_task victim;

static void task_cancel_victim(struct ipc_task *task)
{
	(void)task;
	ipc_task_cancel(&victim);
}

Test(loop, task_may_cancel_the_next_one)
{
	struct ipc_task task;

	ipc_task_init(&task, task_cancel_victim);
	ipc_task_init(&victim, task_record);
	ipc_task_post(loop, &task);
	ipc_task_post(loop, &victim);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(traced, 0);
}

/* Freeing later */

struct garbage {
	struct ipc_task task;
	struct ipc_garbage garbage;
	int content;
};

static int content_seen;

static void task_free_itself_later(struct ipc_task *task)
{
	struct garbage *garbage = ipc_container(task, struct garbage, task);

	for (int i = 0; i < 200; i++) {
		struct garbage *another = malloc(sizeof(*another));

		ipc_loop_free_later(loop, &another->garbage, another);
	}
	ipc_loop_free_later(loop, &garbage->garbage, garbage);
	content_seen = garbage->content;
}

Test(loop, what_is_freed_later_is_intact_until_the_turn_ends)
{
	struct garbage *garbage = malloc(sizeof(*garbage));

	ipc_task_init(&garbage->task, task_free_itself_later);
	garbage->content = 42;
	ipc_task_post(loop, &garbage->task);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(content_seen, 42);
}

/* Stopping */

static void watch_stop(struct ipc_watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	ipc_loop_stop(loop);
}

Test(loop, run_ends_when_a_callback_stops_it)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_stop);
	cr_assert_eq(ipc_loop_run(loop), 0);
	close(fd);
}

Test(loop, stop_before_run_is_not_lost)
{
	ipc_loop_stop(loop);
	cr_assert_eq(ipc_loop_run(loop), 0);
}

Test(loop, loop_runs_again_after_a_stop)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_loop_stop(loop);
	ipc_loop_run(loop);
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_stop);
	cr_assert_eq(ipc_loop_run(loop), 0);
	close(fd);
}

Test(loop, signal_handler_stops_a_sleeping_loop)
{
	struct itimerval soon = {.it_value.tv_usec = 5000};

	signal(SIGALRM, signal_stop);
	setitimer(ITIMER_REAL, &soon, NULL);
	cr_assert_eq(ipc_loop_run(loop), 0);
}

static void signal_ignore(int sig)
{
	(void)sig;
}

Test(loop, signal_without_a_stop_is_no_error)
{
	struct ipc_timer timer = {0};
	struct itimerval soon = {.it_value.tv_usec = 1000};

	signal(SIGALRM, signal_ignore);
	setitimer(ITIMER_REAL, &soon, NULL);
	ipc_timer_start(loop, &timer, ipc_now() + 10 * MS, timer_record);
	run_until_traced(1);
}
