/* Doubly linked intrusive lists. A node that is on no list points to itself, so removing it again is harmless. */
#ifndef IPC_LIST_H
#define IPC_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ipc_list {
	struct ipc_list *next, *prev;
};

#define ipc_container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The removal of the current entry is allowed; the removal of the next one is not. */
#define ipc_list_each(pos, tmp, head)                                                                                  \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); (pos) = (tmp), (tmp) = (pos)->next)

static inline void ipc_list_init(struct ipc_list *head)
{
	head->next = head->prev = head;
}

static inline bool ipc_list_empty(const struct ipc_list *head)
{
	return head->next == head;
}

static inline void ipc_list_append(struct ipc_list *head, struct ipc_list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void ipc_list_remove(struct ipc_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	ipc_list_init(node);
}

/* Removes the first node of a list that is not empty, and returns it. */
static inline struct ipc_list *ipc_list_pop(struct ipc_list *head)
{
	struct ipc_list *first = head->next;

	head->next = first->next;
	head->next->prev = head;
	ipc_list_init(first);
	return first;
}

#endif
