/*
 * What clang-tidy takes for <criterion/criterion.h>. Criterion's assertions ask at each one that holds whether it is to
 * be counted, which gives a test with thirty of them as many paths as there are numbers of 30 bits: the analyser
 * follows those until its patience ends, and not the test. Here an assertion that holds is one path, and one that fails
 * the other.
 */
#include_next <criterion/criterion.h>

#undef cr_assert_impl
#define cr_assert_impl(Fail, Condition, ...)                                                                           \
	do {                                                                                                           \
		if (!(Condition)) {                                                                                    \
			char *cr_msg__;                                                                                \
			CR_EXPAND(cr_asprintf(&cr_msg__, "x" CR_VA_TAIL(CR_VA_TAIL(CR_VA_TAIL(__VA_ARGS__)))));        \
			Fail();                                                                                        \
		}                                                                                                      \
	} while (0)
