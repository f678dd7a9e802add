/* Names in order: base/tree.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/tree.h"

enum { NODES = 20000 };

struct entry {
	struct ipc_tree_node node;
	char name[16];
	bool in;
};

static struct entry entries[NODES];
static struct ipc_tree tree;

static unsigned depth_of(const struct ipc_tree_node *node)
{
	unsigned left, right;

	if (!node)
		return 0;
	left = depth_of(node->left);
	right = depth_of(node->right);
	return 1 + (left > right ? left : right);
}

static void fill(void)
{
	ipc_tree_init(&tree);
	for (int i = 0; i < NODES; i++) {
		snprintf(entries[i].name, sizeof(entries[i].name), "%06d", i);
		entries[i].node.name = entries[i].name;
		cr_assert(ipc_tree_add(&tree, &entries[i].node));
		entries[i].in = true;
	}
}

TestSuite(tree, .timeout = 20);

Test(tree, is_not_deep_though_names_come_in_order)
{
	fill();
	cr_expect_lt(depth_of(tree.root), 70);
}

Test(tree, has_a_name_once)
{
	struct entry other = {.name = "000007"};

	fill();
	other.node.name = other.name;
	cr_expect_not(ipc_tree_add(&tree, &other.node));
	cr_expect_eq(ipc_tree_find(&tree, "000007"), &entries[7].node);
}

Test(tree, finds_what_is_in_it_and_the_next_whatever_comes_and_goes)
{
	fill();
	srand(1);
	for (int i = 0; i < NODES; i++) {
		struct entry *e = &entries[rand() % NODES];

		if (e->in)
			ipc_tree_remove(&tree, &e->node);
		else
			cr_assert(ipc_tree_add(&tree, &e->node));
		e->in = !e->in;
	}
	for (int i = 0; i < NODES; i++) {
		int next = i + 1;

		cr_assert_eq(ipc_tree_find(&tree, entries[i].name) != NULL, entries[i].in);
		while (next < NODES && !entries[next].in)
			next++;
		cr_assert_eq(ipc_tree_next(&tree, entries[i].name), next < NODES ? &entries[next].node : NULL);
	}
}

static bool step(void *arg, struct ipc_tree_node *node)
{
	int *at = arg;

	cr_assert_eq(atoi(node->name), *at);
	return ++*at % 100 != 0;
}

Test(tree, is_walked_in_order_from_any_name)
{
	int at = 50;

	fill();
	cr_expect_not(ipc_tree_walk(&tree, "0000490", step, &at));
	cr_expect_eq(at, 100);
	cr_expect_not(ipc_tree_walk(&tree, "000099", step, &at));
	cr_expect_eq(at, 200);
	at = NODES - 3;
	cr_expect_not(ipc_tree_walk(&tree, "019996", step, &at));
	cr_expect(ipc_tree_walk(&tree, "019999", step, &at));
}
