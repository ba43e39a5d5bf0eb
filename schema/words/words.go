// Package words has what people are told of states and problems, in plain text and once for every surface: messages in Slack, runs
// in Temporal, and the auditors' export.
package words
