# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The clauses of SECURITY.md's promises, as data: room, words, tests, letters of figures."""

from __future__ import annotations

from typing import NamedTuple


class Clause(NamedTuple):
    """What holds, the tests that fail where it does not, the letters of its figures, and whether
    `make test-extras` alone runs all of the tests."""

    text: str
    tests: tuple[str, ...]
    figures: str = ""
    extras: bool = False


class Room(NamedTuple):
    """The clauses about one thing."""

    title: str
    clauses: tuple[Clause, ...]


def _of(*words: str) -> tuple[str, ...]:
    """Tests: each of the words is a module under tests/ with a colon and the names of its tests,
    without test_."""
    out = []
    for word in words:
        module, _, names = word.partition(": ")
        out += [f"tests/{module}.py::test_{name}" for name in names.split()]
    return tuple(out)


CLAUSES: tuple[Room, ...] = (
    Room("Weight files", (
        Clause("Any bytes give a Report from the validator, and from the loaders a model or one "
               "error with code and place.",
               _of("test_every_damage: every_prefix every_single_bit_flip_of_the_first_4_kib",
                   "test_bad_input: random_patches random_bytes",
                   "test_exhaustive: all_damage_to_the_tiny_file"), "ABF"),
        Clause("The C loader reads no byte outside the file's: one byte behind the end faults.",
               _of("test_exhaustive: all_damage_to_the_tiny_file "
                   "a_byte_read_behind_the_end_faults",
                   "test_checks_see: the_loaders_checks_hold"), "ABF"),
        Clause("No reader hangs: brackets within brackets, the longest strings and the longest "
               "keys of a mirror are read in one turn.",
               _of("test_grammar: brackets_are_paired_in_few_turns "
                   "no_more_memory_than_four_times_the_text",
                   "promises/test_hostile: each_is_refused_in_one_line"), "B"),
        Clause("The header alone determines the file's length, and the length is compared before "
               "anything is allocated.",
               _of("test_bad_input: lying_lengths_allocate_nothing "
                   "a_header_of_256_blocks_allocates_little",
                   "faults/test_faults: a_sparse_file_is_refused_at_once"), "B"),
        Clause("By path no more is read than the header allows and 16 bytes; of a stream too. "
               "What has no valid header is read to 32 MiB.",
               _of("test_reading: a_long_file_is_read_as_far_as_its_header_allows "
                   "the_engine_reads_no_more_either a_stream_is_read_as_far_as_its_header_allows "
                   "what_has_no_valid_header_is_read_to_the_limit")),
        Clause("A mirror is checked in four times its memory, by `load` and `validate` at any "
               "level; `inspect` takes seven times the file, 1 MiB, and 2 KiB for each "
               "operation of the network.",
               _of("test_grammar: no_more_memory_than_four_times_the_text "
                   "the_bound_holds_for_every_reader",
                   "test_inspection: a_network_of_many_operations_takes_2_kib_for_each",
                   "promises/test_hostile: memory_stays_within_the_bound"), "B"),
        Clause("Every byte belongs to a field.",
               _of("test_scan: spans_tile_any_file spans_tile_every_prefix")),
        Clause("Each rule of severity error refuses a file that is wrong in nothing else: no key "
               "is duplicated, no reserved byte is set, no mirror contradicts its header.",
               _of("test_conformance: every_rule_of_severity_error_has_a_rejecting_case "
                   "findings_are_the_expected_ones"), "F"),
        Clause("Python's scan and load, the validator and the C loader accept the same files at "
               "level structure.",
               _of("test_bad_input: random_patches",
                   "test_exhaustive: mutated_files all_damage_to_the_tiny_file",
                   "test_conformance: the_engine_gives_the_expected_status"), "B"),
        Clause("Loading in Python opens the given path and nothing else, imports nothing, and "
               "runs nothing.",
               _of("test_model: loading_opens_the_path_and_does_nothing_else",
                   "promises/test_hostile: nothing_is_run_and_nothing_else_is_opened")),
        Clause("The engine's C source opens files in one function, for reading, and calls "
               "nothing that starts a program, loads a library or connects.",
               _of("promises/test_words: the_engine_opens_in_one_place_and_starts_nothing")),
        Clause("Nothing in the package unpickles, evaluates or executes what a file holds; "
               "PyTorch's load is called with weights_only alone.",
               _of("promises/test_words: nothing_executes_what_a_file_holds "
                   "torch_loads_weights_only")),
        Clause("FIFOs, sockets, devices, terminals and folders are refused and not read; none is "
               "replaced by a save.",
               _of("test_source: unreadable_paths devices_are_refused "
                   "what_is_no_file_is_not_replaced",
                   "faults/test_faults: special_files_and_full_disks"), "C"),
        Clause("A file whose size changes while it is read is an error, or the file as it was.",
               _of("test_source: a_stream_and_a_file_that_ends_before_its_size",
                   "faults/test_faults: a_file_that_shrinks_and_grows_while_it_is_read"), "C"),
        Clause("A loaded model stays complete when its file is cut or replaced.",
               _of("faults/test_faults: a_file_cut_while_its_model_lives "
                   "saving_over_a_file_that_is_loaded_mapped_and_open"), "C"),
    )),
    Room("Saving", (
        Clause("A save is atomic: after an exception, a failing call, a full disk or a kill the "
               "path holds the old file or the new one.",
               _of("test_source: a_failing_call_leaves_the_old_file_and_nothing_else "
                   "a_source_of_parts_that_raises_leaves_nothing",
                   "faults/test_faults: every_failing_call_leaves_the_old_file_or_the_new "
                   "a_kill_at_each_call_leaves_the_old_file_or_the_new "
                   "kills_at_random_moments"), "C"),
        Clause("Of two writers at once one wins whole.",
               _of("faults/test_faults: two_writers_to_one_path"), "C"),
        Clause("The file is synced before it takes its place, its folder after.",
               _of("test_source: order_of_syncs")),
        Clause("A sync that fails is an error.",
               _of("test_source: a_failing_call_leaves_the_old_file_and_nothing_else",
                   "faults/test_faults: every_failing_call_leaves_the_old_file_or_the_new")),
        Clause("The temporary file is new: a link or file of its name, planted beside, is not "
               "followed.",
               _of("test_source: the_temporary_name_is_never_an_existing_file")),
        Clause("The mode is kept, ACL and extended attributes where the system takes them; "
               "setuid and setgid never survive a change of owner.",
               _of("test_source: write_replaces_and_keeps_the_mode "
                   "attributes_are_kept_and_rights_to_run_are_not an_acl_is_kept "
                   "setuid_and_setgid_do_not_survive_a_change_of_owner")),
        Clause("No verb writes over a file that it reads, under whatever name or link (X019); "
               "`seal`, and `convert` of an EFM3 file to itself, are there to edit one.",
               _of("promises/test_sources: what_is_read_is_never_written "
                   "every_verb_that_writes_is_tried",
                   "convert/test_checked: a_source_is_never_replaced",
                   "test_source: what_is_read_is_not_written")),
        Clause("A refusal of `convert` or `seal` leaves what was there.",
               _of("cli/test_convert: a_refusal_keeps_what_was_there",
                   "cli/test_seal: refusals_leave_the_file")),
    )),
    Room("The engine", (
        Clause("The C API checks every pointer, size and state that it can; the Python class "
               "every type and shape.",
               _of("test_engine_c: every_misuse_has_its_status_and_nothing_leaks",
                   "test_engine: refused_types refused_shapes refused_options closed_engine"), "C"),
        Clause("Each failing allocation is reported, without a leak, and the engine works on.",
               _of("test_engine_c: each_failing_allocation_is_reported_without_a_leak"), "C"),
        Clause("One engine serves many threads at once, bitwise equal to serial use on the same "
               "instruction set.",
               _of("test_engine: one_engine_serves_many_python_threads "
                   "threads_give_the_same_bits"), "D"),
        Clause("Parent and child both work after a fork, also one during a call.",
               _of("test_engine: fork_after_use",
                   "processes/test_processes: it_ends_well"), "D"),
        Clause("Engines may be dropped, closed, forked, interrupted or left alive at exit, in "
               "the orders that are listed there: nothing crashes or hangs.",
               _of("processes/test_processes: it_ends_well",
                   "test_engine: close_while_another_thread_works exit_with_a_live_engine"), "D"),
        Clause("Many loads leak neither memory nor files.",
               _of("processes/test_processes: many_loads_in_c many_loads_in_python "
                   "the_soak_sees_a_leak_in_python"), "D"),
        Clause("Big-endian, 32-bit and strictly aligned machines give the same verdicts, and a "
               "big-endian Python writes the same bytes.",
               _of("test_engine_foreign: an_architecture "
                   "a_big_endian_python_writes_the_same_bytes"), "E"),
        Clause("A processor without AVX2 takes another path.",
               _of("test_engine_foreign: processors_with_and_without_their_features"), "E"),
    )),
    Room("Networks of other runtimes", (
        Clause("A file of any format that `convert` reads is converted, or refused with a code "
               "in one line; nothing is written then.",
               _of("promises/test_hostile: each_is_refused_in_one_line "
                   "nothing_is_run_and_nothing_else_is_opened",
                   "convert/test_checkpoints: damage",
                   "convert/test_tflite_hostile: a_truncated_file_is_refused_wherever_it_ends "
                   "no_word_of_a_file_does_harm",
                   "convert/test_onnx_refusals: truncated_and_flipped",
                   "convert/test_ncnn_refusals: every_cut_of_a_written_pair_is_refused"), "A"),
        Clause("A refusal takes three times the files' bytes and 64 MiB of memory at most.",
               _of("promises/test_hostile: memory_stays_within_the_bound",
                   "convert/test_checkpoints: a_pickle_cannot_make_much",
                   "convert/test_protobuf: the_most_fields_take_little_memory",
                   "convert/test_mxnet: the_largest_symbol_takes_little_memory",
                   "convert/test_prototxt: the_largest_text_takes_little_memory")),
        Clause("Work is counted: at most 10,000 operations, 64 rewrites for each, and as many "
               "computed constants as a quarter of the file's bytes and 2^20.",
               _of("convert/graph/test_build: a_small_source_cannot_ask_for_much",
                   "convert/graph/test_rewrite: rules_that_never_end_are_stopped",
                   "convert/test_onnx_bounds: constants_that_would_grow_are_refused "
                   "more_fields_than_any_network_has",
                   "convert/test_tflite_hostile: more_operations_than_a_network_has")),
        Clause("No archive is unpacked beyond 16 MiB and its own size, and no entry that lies "
               "about its size.",
               _of("convert/test_zip: a_bomb archives_that_lie a_directory_that_is_too_large",
                   "convert/test_npz: a_zip_bomb_is_not_unpacked")),
        Clause("No code of a file is run: pickles are read by a machine that makes tensors "
               "alone, TorchScript is read and not run.",
               _of("promises/test_hostile: nothing_is_run_and_nothing_else_is_opened",
                   "convert/test_torchscript: what_is_not_followed")),
        Clause("Nothing is opened but the given file, its partner of the same name, and data "
               "files that it names inside its own folder, links resolved.",
               _of("promises/test_hostile: nothing_is_run_and_nothing_else_is_opened",
                   "convert/test_onnx_refusals: external_data_elsewhere "
                   "external_data_in_the_folder a_cache_gives_no_other_files",
                   "convert/test_mxnet: which_file_belongs_to_which")),
        Clause("What another runtime computes in the check is what the output depends on alone, "
               "in a process of its own, which is ended after 120 seconds.",
               _of("convert/test_onnx_read: only_what_the_output_takes_is_read_and_run "
                   "what_may_not_end_is_not_run",
                   "convert/test_worker: no_answer_in_time "
                   "an_end_is_one_refusal_and_the_next_question_is_answered")),
        Clause("A result that differs from the source is not written; what had to be assumed is "
               "said.",
               _of("convert/test_checked: a_result_that_differs_is_not_written "
                   "a_tensor_that_changed_is_seen",
                   "convert/test_matching: what_is_assumed")),
    )),
    Room("Pictures and photographs", (
        Clause("A size is read from the header, and refused (F011) before a pixel is decoded: a "
               "side over 65,536, a file over 64 MB, more than 200 MB to decode.",
               _of("test_pictures: too_many_pixels headers_that_ask_for_more_than_their_pixels "
                   "what_tags_and_sides_say",
                   "processes/test_pictures_memory: bombs")),
        Clause("Decoding the largest picture that is taken holds at most 256 MiB in all; a file "
               "that lies about its size 64 MiB.",
               _of("processes/test_pictures_memory: the_largest photographs_of_any_camera bombs")),
        Clause("What is no picture, damaged or of a form that is not listed is refused by its "
               "code; no program is started for any (EPS).",
               _of("test_pictures: damaged other_formats_are_not_tried "
                   "a_picture_that_is_a_program_is_not_run what_is_no_picture_is_named",
                   "promises/test_hostile: each_is_refused_in_one_line "
                   "nothing_is_run_and_nothing_else_is_opened")),
        Clause("A JPEG has at most 200 scans, a profile 4 MB, and `.npy` is never unpickled.",
               _of("test_pictures: a_jpeg_of_many_scans "
                   "profiles_that_do_not_fit_are_ignored_and_said",
                   "pictures/test_load: other_arrays_are_refused_by_their_header damaged_arrays")),
        Clause("A detector's file over 64 MB, with data elsewhere, or that ONNX Runtime refuses "
               "is refused in one line (F015).",
               _of("photos/test_detectors: a_large_file_is_not_read "
                   "weights_elsewhere_are_refused what_the_runtime_refuses_is_one_line")),
        Clause("Numbers of a detector that are no box are no face, and at most 5,000 places are "
               "looked at.",
               _of("photos/test_detectors: numbers_that_are_no_box_are_no_face "
                   "scores_are_at_most_one_and_few_places_are_looked_at")),
        Clause("Names of crops are built of harmless signs; none is overwritten without --force.",
               _of("cli/test_faces: names_are_safe_and_unique crops_and_drawings")),
    )),
    Room("Bulk runs", (
        Clause("A run that is killed, stopped or short of disk at any call goes on with "
               "`--resume`: no row is lost and none is there twice.",
               _of("bulk/test_output: killed_before_any_system_call "
                   "any_cut_and_any_change_of_the_folder a_full_disk",
                   "processes/test_bulk_killed: killed_before_each_system_call "
                   "killed_by_the_system_at_random_moments")),
        Clause("A table is whole or not there; parts are written whole or not at all.",
               _of("bulk/test_output: killed_before_any_system_call "
                   "what_a_killed_run_was_writing_is_removed "
                   "a_damaged_part_is_named_and_can_be_left_out")),
        Clause("Nothing but tables of ours is replaced, and what lies beside is left alone.",
               _of("bulk/test_output_replaced: nothing_but_tables_is_replaced "
                   "nothing_beside_a_table_is_replaced",
                   "bulk/test_output: what_is_foreign_is_not_touched")),
        Clause("A second run on one output, another model or other options are refused.",
               _of("bulk/test_output: two_runs_on_one_output_and_one_that_is_killed "
                   "the_same_job_or_none")),
        Clause("A picture that kills its worker is a row; the others are done.",
               _of("bulk/test_run: a_picture_that_kills_its_worker_is_a_row "
                   "workers_that_do_not_start_end_the_run")),
        Clause("Archives are streams: names lead nowhere, a bomb takes no memory, a member over "
               "64 MB is a row.",
               _of("bulk/test_inputs: archives a_bomb_takes_no_memory "
                   "members_that_cannot_be_read hostile_tars damaged_archives_end_in_rows")),
        Clause("Only so many pictures are on their way as are bounded by number and bytes.",
               _of("bulk/test_run: only_so_much_is_on_its_way",
                   "bulk/test_output: parts_are_written_when_full_or_old")),
    )),
    Room("Tables, search and clusters", (
        Clause("A stranger's table is read, or refused (B008, B009) in one line, within three "
               "times its bytes and 8 MiB.",
               _of("promises/test_hostile: each_is_refused_in_one_line "
                   "memory_stays_within_the_bound",
                   "bulk/test_tables: no_damage_is_a_traceback_or_a_flood hostile_archives "
                   "lines_are_bounded the_manifest_is_bounded_and_typed")),
        Clause("Nothing of a table is unpickled, and none of its options opens a file: a "
               "detector is opened only where --detector names it.",
               _of("promises/test_hostile: nothing_is_run_and_nothing_else_is_opened",
                   "index/test_search: the_options_of_a_table_are_not_trusted "
                   "a_detector_that_the_user_names")),
        Clause("A table that is cut while it is open is an error and no signal.",
               _of("index/test_vectors: a_file_that_is_cut_meanwhile_is_an_error_and_no_signal",
                   "index/test_library: a_table_that_is_cut_while_it_is_open")),
        Clause("Tables of two models are never compared.",
               _of("index/test_library: of_two_models",
                   "cli/test_search: the_wrong_weight_file")),
        Clause("The search holds two blocks a thread.",
               _of("index/test_top: few_blocks_are_held_and_what_is_raised_ends_it",
                   "index/test_vectors: blocks_are_bounded")),
        Clause("A graph for --approximate that is not known by a key of this user is never "
               "opened.",
               _of("index/test_approximate: a_graph_with_a_digest_to_match_is_never_opened "
                   "another_user_s_graph",
                   "index/test_seal: another_key_and_none")),
        Clause("dedupe deletes nothing, and -0 lists no file that is the only one.",
               _of("cli/test_dedupe: the_only_file_is_never_listed paths_for_xargs")),
    )),
    Room("Evaluation", (
        Clause("A set is never unpickled: the six functions that it may name are the suite's "
               "own; anything else is refused (F002).",
               _of("evaluation/test_pickles: nothing_runs hand_made_attacks "
                   "every_opcode_is_known_to_the_machine_or_refused",
                   "promises/test_hostile: nothing_is_run_and_nothing_else_is_opened")),
        Clause("A pickle of any bytes ends in a set or a refusal, within counted opcodes and "
               "values.",
               _of("evaluation/test_pickles: every_cut_and_many_flips billion_laughs "
                   "text_is_not_multiplied too_many_opcodes huge_memo_numbers_cost_nothing",
                   "promises/test_hostile: memory_stays_within_the_bound")),
        Clause("A path of a pairs file leads into the folder of pictures, or is refused.",
               _of("evaluation/test_sets: pictures_that_are_not_there lines_that_are_no_pair",
                   "promises/test_hostile: nothing_is_run_and_nothing_else_is_opened")),
    )),
    Room("Training", (
        Clause("Checkpoints are loaded with weights_only, and one that is damaged or another's "
               "is refused in one line.",
               _of("train/test_checkpoint: what_is_no_checkpoint_is_refused",
                   "train/test_session: a_damaged_checkpoint_is_refused_in_one_line",
                   "promises/test_words: torch_loads_weights_only")),
        Clause("Options that a checkpoint states are checked before they are used.",
               _of("train/test_config: options_of_a_strange_checkpoint_are_refused")),
        Clause("A kill or a full disk while a checkpoint is written leaves the old one.",
               _of("train/test_checkpoint: killed_while_writing_leaves_a_loadable_one "
                   "a_full_disk_leaves_the_old_one"), "", True),
        Clause("A resumed run's weights are bit for bit those of an uninterrupted one, on a CPU "
               "with as many threads.",
               _of("train/test_loop: resumed_equals_uninterrupted_bit_for_bit"), "", True),
        Clause("Records and shards are read with lengths compared first; what is corrupt is "
               "counted, and nothing in them is unpickled or run.",
               _of("train/test_data_rec: damaged_record_heads a_record_of_too_many_bytes",
                   "train/test_data_shards: hostile_headers random_damage",
                   "train/test_session: hostile_data_ends_in_one_line"), "", True),
        Clause("A run's folder is not overwritten.",
               _of("cli/test_train: a_folder_with_a_run_is_left_alone")),
    )),
    Room("Names, text and the command", (
        Clause("No name or text of a stranger reaches a terminal raw, of any verb.",
               _of("test_foreign_names: names_through_every_verb "
                   "every_verb_and_format_is_in_a_row what_cannot_be_read a_table_of_a_stranger")),
        Clause("One function makes text safe for each kind of output, and each format's own "
               "parser reads what is written: SARIF, GitHub annotations, JUnit, HTML, SVG, JSON, "
               "CSV.",
               _of("test_texts: one_function_for_each_kind_of_output the_forms "
                   "a_cell_gives_back_its_text json_keeps_what_it_can",
                   "test_foreign_names: names_through_every_verb",
                   "conformance/test_tables: no_text_does_anything_in_html "
                   "no_text_does_anything_in_markdown")),
        Clause("Whatever file a verb is given, it ends with an exit code of 0 to 3 and without "
               "a traceback; a refusal of convert, search, dedupe and seal is one line.",
               _of("promises/test_command: hostile_files_through_every_verb",
                   "test_foreign_names: what_cannot_be_read")),
        Clause("Closed and full streams, a deleted working folder, a system without threads or "
               "memory: one line.",
               _of("test_main: closed_streams a_full_disk a_working_folder_that_is_gone "
                   "no_thread_can_start out_of_memory_is_one_line")),
        Clause("Ctrl-C is one line and exit code 130.",
               _of("test_main: ctrl_c_is_a_line")),
    )),
    Room("The conformance kit", (
        Clause("A program under test that hangs, floods, dies or leaves children behind is "
               "ended, with those that it started, and its case is broken.",
               _of("conformance/test_subject: anything_else_is_broken "
                   "a_program_ends_with_those_that_it_started",
                   "conformance/test_lines: lines_that_nobody_asked_for_do_not_fill_the_memory "
                   "a_line_that_is_too_long_is_not_kept")),
        Clause("An answer is at most 64 MiB and strict JSON, or the case is broken.",
               _of("conformance/test_answers: a_long_answer_is_not_parsed anything_else_is_said")),
        Clause("A statement is read within bounds, and nothing in it does anything in a page.",
               _of("conformance/test_statement: a_file_is_read_within_bounds what_is_no_json "
                   "what_is_no_statement",
                   "conformance/test_tables: no_text_does_anything_in_html")),
        Clause("`verify-statement` runs the program that is named on its own command line, none "
               "that a statement names.",
               _of("conformance/test_rerun: a_forged_statement_is_well_formed_and_contradicted",
                   "cli/conformance/test_verify_statement: well_formed_is_all_that_it_says")),
    )),
    Room("The evidence", (
        Clause("A check that is taken out of loader or rules is noticed by a case or a test; "
               "those that are not are listed with the reason.",
               _of("test_checks_see: a_change_of_the_loader_is_noticed "
                   "a_check_in_python_taken_out_is_noticed "
                   "every_listed_exception_is_a_mutant_or_a_line"), "F"),
        Clause("Each clause of this page names tests that exist and are run.",
               _of("promises/test_named: every_clause_names_tests_that_run "
                   "what_is_not_run_is_seen")),
    )),
)
