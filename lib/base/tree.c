/* A treap: a search tree by name and a heap by random weights, which keeps it about as deep as its logarithm. */
#include "tree.h"

#include <stddef.h>
#include <string.h>
#include <sys/random.h>

void ipc_tree_init(struct ipc_tree *tree)
{
	tree->root = NULL;
	if (getrandom(&tree->random, sizeof(tree->random), GRND_NONBLOCK) != sizeof(tree->random))
		tree->random = (uintptr_t)tree;
}

/* splitmix64: any state will do. */
static uint32_t tree_weight(struct ipc_tree *tree)
{
	uint64_t x = tree->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

struct ipc_tree_node *ipc_tree_find(const struct ipc_tree *tree, const char *name)
{
	struct ipc_tree_node *node = tree->root;
	int order;

	while (node && (order = strcmp(name, node->name)) != 0)
		node = order < 0 ? node->left : node->right;
	return node;
}

/* Into those before the name and those behind it, which is not among them. */
static void tree_split(struct ipc_tree_node *node, const char *name, struct ipc_tree_node **before,
		       struct ipc_tree_node **behind)
{
	while (node) {
		if (strcmp(node->name, name) < 0) {
			*before = node;
			before = &node->right;
			node = node->right;
		} else {
			*behind = node;
			behind = &node->left;
			node = node->left;
		}
	}
	*before = *behind = NULL;
}

bool ipc_tree_add(struct ipc_tree *tree, struct ipc_tree_node *node)
{
	struct ipc_tree_node **at = &tree->root;

	if (ipc_tree_find(tree, node->name))
		return false;
	node->weight = tree_weight(tree);
	while (*at && (*at)->weight >= node->weight)
		at = strcmp(node->name, (*at)->name) < 0 ? &(*at)->left : &(*at)->right;
	tree_split(*at, node->name, &node->left, &node->right);
	*at = node;
	return true;
}

void ipc_tree_remove(struct ipc_tree *tree, struct ipc_tree_node *node)
{
	struct ipc_tree_node **at = &tree->root, *before = node->left, *behind = node->right;

	while (*at != node)
		at = strcmp(node->name, (*at)->name) < 0 ? &(*at)->left : &(*at)->right;
	while (before && behind) {
		if (before->weight >= behind->weight) {
			*at = before;
			at = &before->right;
			before = before->right;
		} else {
			*at = behind;
			at = &behind->left;
			behind = behind->left;
		}
	}
	*at = before ? before : behind;
	node->left = node->right = NULL;
}

struct ipc_tree_node *ipc_tree_next(const struct ipc_tree *tree, const char *after)
{
	struct ipc_tree_node *node = tree->root, *found = NULL;

	while (node) {
		if (!after || strcmp(node->name, after) > 0) {
			found = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

/* Behind a node that is itself behind the name, all to the right of it are. */
static bool tree_walk(struct ipc_tree_node *node, const char *after, bool (*fn)(void *, struct ipc_tree_node *),
		      void *arg)
{
	while (node) {
		if (!after || strcmp(node->name, after) > 0) {
			if (!tree_walk(node->left, after, fn, arg) || !fn(arg, node))
				return false;
			after = NULL;
		}
		node = node->right;
	}
	return true;
}

bool ipc_tree_walk(const struct ipc_tree *tree, const char *after, bool (*fn)(void *arg, struct ipc_tree_node *),
		   void *arg)
{
	return tree_walk(tree->root, after, fn, arg);
}
