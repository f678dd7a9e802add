/* Answers of scripts. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"

int64_t redis_reply_number(const redisReply *reply, int64_t none)
{
	if (reply && reply->type == REDIS_REPLY_INTEGER)
		return reply->integer;
	if (reply && reply->type == REDIS_REPLY_STRING && reply->len)
		return strtoll(reply->str, NULL, 10);
	return none;
}

const redisReply *redis_reply_at(const redisReply *reply, size_t i)
{
	return reply && reply->type == REDIS_REPLY_ARRAY && i < reply->elements ? reply->element[i] : NULL;
}

bool redis_reply_is_gone(const redisReply *reply)
{
	const redisReply *first = redis_reply_at(reply, 0);

	return first && first->type == REDIS_REPLY_STRING && strcmp(first->str, "GONE") == 0;
}

void redis_reply_free(redisReply *reply)
{
	if (!reply)
		return;
	for (size_t i = 0; reply->element && i < reply->elements; i++)
		redis_reply_free(reply->element[i]);
	free(reply->element);
	free(reply->str);
	free(reply);
}

redisReply *redis_reply_copy(const redisReply *reply)
{
	redisReply *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->type = reply->type;
	copy->integer = reply->integer;
	if (reply->str) {
		copy->str = malloc(reply->len + 1);
		if (!copy->str)
			goto fail;
		memcpy(copy->str, reply->str, reply->len + 1);
		copy->len = reply->len;
	}
	if (reply->elements) {
		copy->element = calloc(reply->elements, sizeof(redisReply *));
		if (!copy->element)
			goto fail;
		copy->elements = reply->elements;
	}
	for (size_t i = 0; i < reply->elements; i++) {
		copy->element[i] = redis_reply_copy(reply->element[i]);
		if (!copy->element[i])
			goto fail;
	}
	return copy;
fail:
	redis_reply_free(copy);
	return NULL;
}
