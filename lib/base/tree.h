/*
 * Names in the order of strcmp(3), found in logarithmic time, and walked from any name on, whether or not it is there.
 * Intrusive: nothing is allocated, so nothing but ipc_tree_init() can fail. Whose names they are cannot make it deep.
 */
#ifndef IPC_TREE_H
#define IPC_TREE_H

#include <stdbool.h>
#include <stdint.h>

/* Embedded by its owner, who keeps the name as it is while the node is in a tree. */
struct ipc_tree_node {
	char *name;
	struct ipc_tree_node *left, *right;
	uint32_t weight;
};

struct ipc_tree {
	struct ipc_tree_node *root;
	uint64_t random;
};

/* All 0 is an empty tree too, but one whose shape can be foreseen. */
void ipc_tree_init(struct ipc_tree *);
struct ipc_tree_node *ipc_tree_find(const struct ipc_tree *, const char *name);
/* False: that name is in it already. */
bool ipc_tree_add(struct ipc_tree *, struct ipc_tree_node *);
void ipc_tree_remove(struct ipc_tree *, struct ipc_tree_node *);
/* The first one behind that name; NULL: there is none. after NULL: the first of all. */
struct ipc_tree_node *ipc_tree_next(const struct ipc_tree *, const char *after);
/*
 * Calls fn for each one behind that name, in order, until it returns false. fn must not change the tree. Returns
 * whether it came to the end.
 */
bool ipc_tree_walk(const struct ipc_tree *, const char *after, bool (*fn)(void *arg, struct ipc_tree_node *),
		   void *arg);

#endif
