/* How the loop asks a busy source, and when it spins for it. */
#include "loop.h"

TestSuite(busy, .init = setup, .fini = teardown, .timeout = 20);

/* The busy source: a fake that has `items`, gives one a poll, and counts. */

struct source {
	int items, polls, found;
	struct ipc_timer timer;
};

static int source_poll(void *arg)
{
	struct source *source = arg;

	source->polls++;
	if (!source->items)
		return 0;
	source->items--;
	source->found++;
	return 1;
}

static void source_expired(struct ipc_timer *timer)
{
	ipc_container(timer, struct source, timer)->items++;
}

/* Turns until the source's next item, which comes after the time. */
static void item_after(struct source *source, int64_t ns)
{
	int found = source->found;

	ipc_timer_start(loop, &source->timer, ipc_now() + ns, source_expired);
	while (source->found == found)
		ipc_loop_turn(loop, -1);
}

/* The turn after an item, in which the loop spins or does not, and in any case sleeps a millisecond. */
static bool turn_spins(struct source *source)
{
	int before = source->polls;

	ipc_loop_turn(loop, 1);
	return source->polls - before >= 16;
}

static struct source *source_start(int64_t spin_ns)
{
	static struct source source;

	ipc_loop_set_busy(loop, source_poll, &source, spin_ns);
	ipc_loop_turn(loop, 1);
	return &source;
}

static int source_fail(void *arg)
{
	record(arg);
	return -1;
}

Test(busy, failing_busy_source_stops_the_loop)
{
	ipc_loop_set_busy(loop, source_fail, NULL, 0);
	cr_assert_eq(ipc_loop_run(loop), 0);
	cr_assert_eq(traced, 1);
}

static int poll_record(void *arg)
{
	record(arg);
	return 0;
}

Test(busy, busy_source_is_polled_before_the_tasks)
{
	struct ipc_task task;

	ipc_loop_set_busy(loop, poll_record, &traced, 0);
	ipc_task_init(&task, task_record);
	ipc_task_post(loop, &task);
	ipc_loop_turn(loop, 0);
	cr_assert_eq(trace[0], &traced);
	cr_assert_eq(trace[1], &task);
}

Test(busy, busy_source_is_polled_between_a_wake_up_and_ready)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_loop_set_busy(loop, poll_record, &traced, 0);
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 3);
	cr_assert_eq(trace[1], &traced);
	cr_assert_eq(trace[2], &watch);
	close(fd);
}

Test(busy, busy_source_is_polled_between_a_wake_up_and_expired)
{
	struct ipc_timer timer = {0};

	ipc_loop_set_busy(loop, poll_record, &traced, 0);
	ipc_timer_start(loop, &timer, ipc_now() + 1 * MS, timer_record);
	while (!traced || trace[traced - 1] != &timer)
		ipc_loop_turn(loop, -1);
	cr_assert_geq(traced, 3);
	cr_assert_eq(trace[traced - 2], &traced);
}

static int poll_remove(void *watch)
{
	record(watch);
	if (traced == 2)
		ipc_watch_remove(watch);
	return 0;
}

Test(busy, busy_source_may_remove_a_watch_whose_event_was_fetched)
{
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_loop_set_busy(loop, poll_remove, &watch, 0);
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	ipc_loop_turn(loop, -1);
	cr_assert_eq(traced, 2);
	close(fd);
}

Test(busy, endless_items_do_not_starve_a_watch)
{
	struct source source = {.items = 1000};
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	ipc_loop_set_busy(loop, source_poll, &source, 50 * US);
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	run_until_traced(1);
	cr_assert_leq(source.polls, 20);
	close(fd);
}

Test(busy, endless_items_do_not_starve_a_timer)
{
	struct source source = {.items = 1000};
	struct ipc_timer timer = {0};

	ipc_loop_set_busy(loop, source_poll, &source, 50 * US);
	ipc_timer_start(loop, &timer, ipc_now(), timer_record);
	run_until_traced(1);
	cr_assert_leq(source.polls, 20);
}

Test(busy, loop_without_items_does_not_spin)
{
	struct source *source = source_start(1000 * MS);

	cr_assert_not(turn_spins(source));
}

Test(busy, loop_spins_after_an_item)
{
	struct source *source = source_start(2 * MS);

	item_after(source, 0);
	cr_assert(turn_spins(source));
}

Test(busy, spin_time_of_zero_never_spins)
{
	struct source *source = source_start(0);

	for (int i = 0; i < 10; i++) {
		item_after(source, 0);
		cr_assert_not(turn_spins(source));
	}
}

Test(busy, turn_without_time_does_not_spin)
{
	struct source *source = source_start(60 * 1000 * MS);

	item_after(source, 0);
	ipc_loop_turn(loop, 0);
	cr_assert_lt(source->polls, 16);
}

Test(busy, task_runs_before_the_spin_but_does_not_replace_it)
{
	struct source *source = source_start(2 * MS);
	struct ipc_task task;

	item_after(source, 0);
	ipc_task_init(&task, task_record);
	ipc_task_post(loop, &task);
	cr_assert_not(turn_spins(source));
	cr_assert_eq(traced, 1);
	cr_assert(turn_spins(source));
}

Test(busy, spin_ends_at_an_item)
{
	struct source *source = source_start(60 * 1000 * MS);

	for (int i = 0; i < 20; i++)
		item_after(source, 100 * US);
	cr_assert_eq(source->found, 20);
}

Test(busy, spin_asks_epoll_at_every_16th_poll_only)
{
	struct source *source = source_start(60 * 1000 * MS);
	struct ipc_watch watch;
	int fd = eventfd_with(1);

	item_after(source, 0);
	source->polls = 0;
	ipc_watch_add(loop, &watch, fd, EPOLLIN, watch_record);
	run_until_traced(1);
	cr_assert_gt(source->polls, 14);
	cr_assert_leq(source->polls, 18);
	close(fd);
}

struct alarm {
	struct ipc_timer timer;
	int fd;
};

static void alarm_expired(struct ipc_timer *timer)
{
	eventfd_write(ipc_container(timer, struct alarm, timer)->fd, 1);
}

Test(busy, timer_and_watch_are_called_during_a_spin)
{
	struct source *source = source_start(60 * 1000 * MS);
	struct alarm alarm = {.fd = eventfd_with(0)};
	struct ipc_watch watch;

	item_after(source, 0);
	ipc_watch_add(loop, &watch, alarm.fd, EPOLLIN, watch_record);
	ipc_timer_start(loop, &alarm.timer, ipc_now() + 1 * MS, alarm_expired);
	run_until_traced(1);
	close(alarm.fd);
}

Test(busy, signal_handler_stops_a_spinning_loop)
{
	struct source *source = source_start(60 * 1000 * MS);
	struct itimerval soon = {.it_value.tv_usec = 5000};

	item_after(source, 0);
	signal(SIGALRM, signal_stop);
	setitimer(ITIMER_REAL, &soon, NULL);
	cr_assert_eq(ipc_loop_run(loop), 0);
	cr_assert_geq(source->polls, 16);
}

/* How many of so many items, with such a gap before each, were followed by a spin; all of them fail. */
static int spins_in_vain(struct source *source, int64_t gap, int items)
{
	int spins = 0;

	for (int i = 0; i < items; i++) {
		item_after(source, gap);
		spins += turn_spins(source);
	}
	return spins;
}

Test(busy, failed_spins_double_their_distance)
{
	/* Those after items 1, 3, 6, 11, 20, 37, 70; the next is at 135. */
	cr_assert_eq(spins_in_vain(source_start(100 * US), 500 * US, 134), 7);
}

Test(busy, distance_of_failed_spins_is_bounded)
{
	cr_assert_eq(spins_in_vain(source_start(100 * US), 500 * US, 135 + 65), 9);
}

Test(busy, gaps_nearly_short_enough_do_not_spin_for_ever)
{
	/* Those after items 1, 3, 6, 11, 20, 37, 54, 71; some more if the machine stalls and makes a gap long. */
	cr_assert_leq(spins_in_vain(source_start(10 * MS), 10 * US, 71), 14);
}

Test(busy, gaps_nearly_short_enough_are_tried_now_and_then)
{
	struct source *source = source_start(10 * MS);

	spins_in_vain(source, 10 * US, 37);
	cr_assert_geq(spins_in_vain(source, 10 * US, 17), 1);
}

Test(busy, burst_after_a_trickle_spins_from_its_second_item)
{
	struct source *source = source_start(10 * MS);

	spins_in_vain(source, 50 * MS, 4);
	item_after(source, 50 * MS);
	turn_spins(source);
	item_after(source, 10 * US);
	cr_assert(turn_spins(source));
}

Test(busy, item_found_by_a_spin_makes_the_next_spin_sure)
{
	struct source *source = source_start(50 * MS);

	/* Alone, this failure would forbid the spin after the next far item. */
	spins_in_vain(source, 210 * MS, 1);
	item_after(source, 10 * US);
	item_after(source, 10 * US);
	cr_assert(turn_spins(source));
	item_after(source, 210 * MS);
	cr_assert(turn_spins(source));
}
