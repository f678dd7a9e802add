/* One message that we hold: its place in the journal, and who is charged for that. */
#ifndef IPC_MQ_DEBT_H
#define IPC_MQ_DEBT_H

#include "owed.h"

/* A place for another one; it can be given back then without fail. NULL with errno, and a line in why. */
struct mq_debt *mq_debt_new(struct mq_owed *, char *why, size_t why_size);
/* must: the user's quota may refuse it. 0 or -errno, told in MNT/errors. */
int mq_debt_charge(struct mq_debt *, const struct ipc_cred *, bool must);
void mq_debt_discharge(struct mq_debt *);
/* Nothing was received into it: it is kept for the next one. */
void mq_debt_spare(struct mq_debt *);
void mq_spares_drop(struct mq_owed *);

#endif
