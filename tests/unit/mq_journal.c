/*
 * The journal of owed messages: what the next daemon makes of a slot, whatever the last one was about when it was
 * killed.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kinds/mq/journal.h"

enum { MSGSIZE = 64 };

static char dir_name[] = "/tmp/unit_journal_XXXXXX";
static int dir;
static mqd_t queue;
static struct mq_journal *journal;
static char queue_name[32], why[256];

static void setup(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = MSGSIZE};
	struct mq_queue_id id = {.name = queue_name + 1, .dev = 1, .ino = 2, .msgsize = MSGSIZE};

	snprintf(queue_name, sizeof(queue_name), "/unit_journal_%d", (int)getpid());
	cr_assert(mkdtemp(dir_name));
	dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	queue = mq_open(queue_name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	cr_assert_geq(queue, 0);
	journal = mq_journal_new(dir, &id, why, sizeof(why));
	cr_assert(journal, "%s", why);
}

static void teardown(void)
{
	char command[64];

	mq_journal_free(journal);
	mq_close(queue);
	mq_unlink(queue_name);
	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", dir_name);
	cr_assert_eq(system(command), 0);
}

TestSuite(mq_journal, .init = setup, .fini = teardown, .timeout = 20);

static int receive(const char *text, size_t n, unsigned prio)
{
	int slot = mq_journal_reserve(journal, why, sizeof(why));

	cr_assert_geq(slot, 0, "%s", why);
	cr_assert_eq(mq_send(queue, text, n, prio), 0);
	cr_assert_eq(mq_journal_receive(journal, slot, queue), (ssize_t)n);
	return slot;
}

static struct found {
	size_t count, len;
	unsigned prio, state, deliveries;
	char body[MSGSIZE];
	int result;
} found;

static int look(void *arg, const struct mq_queue_id *id, struct mq_slot *const slots[], size_t count)
{
	(void)arg;
	cr_assert_str_eq(id->name, queue_name + 1);
	cr_assert_eq(id->ino, 2);
	found.count = count;
	found.state = atomic_load(&slots[0]->state);
	found.len = slots[0]->len;
	found.prio = slots[0]->prio;
	found.deliveries = slots[0]->deliveries;
	memcpy(found.body, slots[0]->body, slots[0]->len);
	return found.result;
}

/* As after a kill: the file as it is. */
static bool recover(void)
{
	found.count = 0;
	return mq_journal_recover(dir, look, NULL);
}

Test(mq_journal, owed_message_is_found)
{
	struct mq_slot *slot = mq_journal_slot(journal, receive("job", 3, 7));

	slot->deliveries = 2;
	atomic_store(&slot->state, MQ_OWED);
	cr_assert(recover());
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.state, MQ_OWED);
	cr_assert_eq(found.prio, 7);
	cr_assert_eq(found.deliveries, 2);
	cr_assert_eq(found.len, 3);
	cr_assert_eq(memcmp(found.body, "job", 3), 0);
}

/* Killed right behind the system call, whose result is known to nobody. */
Test(mq_journal, length_of_a_message_that_had_landed_is_told_by_its_bytes)
{
	struct mq_slot *slot = mq_journal_slot(journal, receive("landed", 6, 0));

	slot->len = 0;
	cr_assert_eq(atomic_load(&slot->state), MQ_RECEIVING);
	recover();
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.state, MQ_OWED);
	cr_assert_eq(found.len, 6);
	cr_assert_eq(memcmp(found.body, "landed", 6), 0);
}

Test(mq_journal, slot_that_held_a_longer_message_is_told_right)
{
	struct mq_slot *slot;
	int first = receive("a much longer message than the next", 35, 0);

	mq_journal_release(journal, first);
	slot = mq_journal_slot(journal, receive("short", 5, 0));
	slot->len = 0;
	recover();
	cr_assert_eq(found.len, 5);
}

Test(mq_journal, empty_message_that_had_landed_is_one)
{
	receive("", 0, 3);
	recover();
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.len, 0);
	cr_assert_eq(found.prio, 3);
}

Test(mq_journal, receive_that_found_nothing_leaves_nothing)
{
	int slot = mq_journal_reserve(journal, why, sizeof(why));

	cr_assert_eq(mq_journal_receive(journal, slot, queue), -EAGAIN);
	cr_assert(recover());
	cr_assert_eq(found.count, 0);
}

/* Killed before the system call: the message is in the queue. */
Test(mq_journal, receive_that_had_not_begun_leaves_nothing)
{
	struct mq_slot *slot = mq_journal_slot(journal, receive("x", 1, 0));

	slot->len = 0;
	slot->prio = (unsigned)-1;
	recover();
	cr_assert_eq(found.count, 0);
}

Test(mq_journal, file_stays_until_all_was_taken)
{
	atomic_store(&mq_journal_slot(journal, receive("x", 1, 0))->state, MQ_BACK);
	found.result = -ENOMEM;
	cr_assert_not(recover());
	cr_assert_eq(found.count, 1);
	found.result = 0;
	cr_assert(recover());
	cr_assert_eq(found.count, 1);
	recover();
	cr_assert_eq(found.count, 0);
}

Test(mq_journal, grows_and_keeps_what_it_has)
{
	enum { MANY = 9000 };

	for (int i = 0; i < MANY; i++) {
		char text[16];
		int n = snprintf(text, sizeof(text), "%d", i);

		cr_assert_eq(receive(text, (size_t)n, 0), i);
		atomic_store(&mq_journal_slot(journal, i)->state, MQ_OWED);
	}
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(strtol(mq_journal_slot(journal, i)->body, NULL, 10), i);
	recover();
	cr_assert_eq(found.count, MANY);
}

Test(mq_journal, goes_with_the_last_message)
{
	mq_journal_release(journal, receive("x", 1, 0));
	mq_journal_free(journal);
	journal = NULL;
	cr_assert_eq(rmdir(dir_name), 0);
	cr_assert_eq(mkdir(dir_name, 0700), 0);
}
