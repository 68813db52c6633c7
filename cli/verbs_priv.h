/* cli/verbs_priv.h: one function per verb; each gets the words behind its name and returns the exit
 * code. 0 positive, 1 negative, 2 wrong usage, 3 invalid configuration, 4 cannot, 5 no answer. */
#ifndef WAYPOST_CLI_VERBS_H
#define WAYPOST_CLI_VERBS_H

enum { EXIT_POSITIVE, EXIT_NEGATIVE, EXIT_USAGE, EXIT_CONFIG, EXIT_CANNOT, EXIT_NO_ANSWER };

/* Of an error while files are read: 3 for what is in them, 4 for what stands in the way. */
int exit_of_error(int err);

int verb_run(int argc, char **argv);
int verb_lab(int argc, char **argv);
int verb_trace(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_zone(int argc, char **argv);
int verb_config(int argc, char **argv);
int verb_query(int argc, char **argv);
int verb_bench(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_servers(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_cache(int argc, char **argv);
int verb_geo(int argc, char **argv);
int verb_gslb_probe(int argc, char **argv);
int verb_geo_test(int argc, char **argv);
int verb_gslb(int argc, char **argv);
int verb_gslb_explain(int argc, char **argv);
int verb_gslb_simulate(int argc, char **argv);
int verb_gslb_test(int argc, char **argv);
int verb_doctor(int argc, char **argv);

#endif
