"""What Windows event codes mean, for the channels that security work reads.

Handed: nothing. Hands on: per channel family, event code -> (ECS category, action, outcome); which codes name
the user in their *target*. Sources: Microsoft "Audit policy" event pages, Sysinternals Sysmon documentation.
"""

Meaning = tuple[str, str, str]

SECURITY: dict[str, Meaning] = {
    "1100": ("configuration", "event_log_service_stopped", "success"),
    "1102": ("configuration", "audit_log_cleared", "success"),
    "4608": ("host", "windows_started", "success"),
    "4610": ("configuration", "authentication_package_loaded", "success"),
    "4616": ("configuration", "system_time_changed", "success"),
    "4624": ("authentication", "logged_in", "success"),
    "4625": ("authentication", "logged_in", "failure"),
    "4627": ("authentication", "group_membership_listed", "success"),
    "4634": ("authentication", "logged_out", "success"),
    "4647": ("authentication", "logged_out", "success"),
    "4648": ("authentication", "logged_in_explicit", "success"),
    "4656": ("file", "handle_requested", ""),
    "4657": ("registry", "registry_value_changed", "success"),
    "4658": ("file", "handle_closed", "success"),
    "4660": ("file", "object_deleted", "success"),
    "4661": ("iam", "handle_requested", ""),
    "4662": ("iam", "directory_object_accessed", ""),
    "4663": ("file", "object_accessed", "success"),
    "4670": ("iam", "permissions_changed", "success"),
    "4672": ("iam", "special_privileges_assigned", "success"),
    "4673": ("iam", "privileged_service_called", ""),
    "4674": ("iam", "privileged_object_operation", ""),
    "4688": ("process", "process_created", "success"),
    "4689": ("process", "process_ended", "success"),
    "4690": ("file", "handle_duplicated", "success"),
    "4697": ("configuration", "service_installed", "success"),
    "4698": ("configuration", "scheduled_task_created", "success"),
    "4699": ("configuration", "scheduled_task_deleted", "success"),
    "4700": ("configuration", "scheduled_task_enabled", "success"),
    "4701": ("configuration", "scheduled_task_disabled", "success"),
    "4702": ("configuration", "scheduled_task_updated", "success"),
    "4703": ("iam", "token_rights_adjusted", "success"),
    "4719": ("configuration", "audit_policy_changed", "success"),
    "4720": ("iam", "user_added", "success"),
    "4722": ("iam", "user_enabled", "success"),
    "4723": ("iam", "password_changed", ""),
    "4724": ("iam", "password_reset", ""),
    "4725": ("iam", "user_disabled", "success"),
    "4726": ("iam", "user_removed", "success"),
    "4728": ("iam", "user_added_to_group", "success"),
    "4729": ("iam", "user_removed_from_group", "success"),
    "4732": ("iam", "user_added_to_group", "success"),
    "4733": ("iam", "user_removed_from_group", "success"),
    "4735": ("iam", "group_changed", "success"),
    "4738": ("iam", "user_changed", "success"),
    "4740": ("iam", "user_locked_out", "success"),
    "4756": ("iam", "user_added_to_group", "success"),
    "4757": ("iam", "user_removed_from_group", "success"),
    "4767": ("iam", "user_unlocked", "success"),
    "4768": ("authentication", "kerberos_ticket_granted", ""),
    "4769": ("authentication", "kerberos_service_ticket", ""),
    "4770": ("authentication", "kerberos_ticket_renewed", "success"),
    "4771": ("authentication", "kerberos_preauthentication", "failure"),
    "4776": ("authentication", "credentials_validated", ""),
    "4778": ("session", "session_reconnected", "success"),
    "4779": ("session", "session_disconnected", "success"),
    "4781": ("iam", "account_renamed", "success"),
    "4798": ("iam", "local_groups_listed", "success"),
    "4799": ("iam", "group_members_listed", "success"),
    "5058": ("file", "key_file_operation", ""),
    "5061": ("authentication", "cryptographic_operation", ""),
    "5136": ("iam", "directory_object_changed", "success"),
    "5140": ("file", "share_accessed", "success"),
    "5145": ("file", "share_object_checked", ""),
    "5156": ("network", "connection_permitted", "success"),
    "5157": ("network", "connection_blocked", "failure"),
    "5158": ("network", "bind_permitted", "success"),
    "5379": ("iam", "credentials_read", "success"),
}

SYSMON: dict[str, Meaning] = {
    "1": ("process", "process_created", ""),
    "2": ("file", "file_time_changed", ""),
    "3": ("network", "network_connection", ""),
    "4": ("configuration", "sysmon_state_changed", ""),
    "5": ("process", "process_ended", ""),
    "6": ("driver", "driver_loaded", ""),
    "7": ("library", "image_loaded", ""),
    "8": ("process", "remote_thread_created", ""),
    "9": ("file", "raw_disk_read", ""),
    "10": ("process", "process_accessed", ""),
    "11": ("file", "file_created", ""),
    "12": ("registry", "registry_key_changed", ""),
    "13": ("registry", "registry_value_set", ""),
    "14": ("registry", "registry_key_renamed", ""),
    "15": ("file", "file_stream_created", ""),
    "16": ("configuration", "sysmon_configuration_changed", ""),
    "17": ("file", "pipe_created", ""),
    "18": ("file", "pipe_connected", ""),
    "19": ("configuration", "wmi_filter_registered", ""),
    "20": ("configuration", "wmi_consumer_registered", ""),
    "21": ("configuration", "wmi_consumer_bound", ""),
    "22": ("network", "dns_query", ""),
    "23": ("file", "file_deleted", ""),
    "24": ("host", "clipboard_changed", ""),
    "25": ("process", "process_tampered", ""),
    "26": ("file", "file_delete_detected", ""),
}

POWERSHELL: dict[str, Meaning] = {
    "400": ("process", "powershell_engine_started", ""),
    "403": ("process", "powershell_engine_stopped", ""),
    "600": ("process", "powershell_provider_started", ""),
    "800": ("process", "powershell_pipeline_executed", ""),
    "4103": ("process", "powershell_module_logged", ""),
    "4104": ("process", "powershell_script_block", ""),
    "4105": ("process", "powershell_command_started", ""),
    "4106": ("process", "powershell_command_stopped", ""),
}

SYSTEM: dict[str, Meaning] = {
    "104": ("configuration", "event_log_cleared", "success"),
    "7034": ("host", "service_crashed", "failure"),
    "7036": ("host", "service_state_changed", ""),
    "7040": ("configuration", "service_start_type_changed", "success"),
    "7045": ("configuration", "service_installed", "success"),
}

#: The account an event is *about* is the one that acted.
TARGET_ACTS = frozenset({"4624", "4625", "4627", "4634", "4647", "4768", "4769", "4770", "4771", "4776"})
#: The acted-upon account is another one than the actor's.
TARGET_IS_OTHER = frozenset(
    {"4648", "4720", "4722", "4723", "4724", "4725", "4726", "4738", "4740", "4767", "4781", "4798"}
)

LEVELS = {"0": "info", "1": "critical", "2": "error", "3": "warning", "4": "info", "5": "debug", "information": "info"}


def meaning(channel: str, code: str) -> Meaning | None:
    """Return (category, action, outcome) of an event code in a channel, ``None`` when the table has no row."""
    if channel == "Security":
        return SECURITY.get(code)
    if "Sysmon" in channel:
        return SYSMON.get(code)
    if "PowerShell" in channel:
        return POWERSHELL.get(code)
    return SYSTEM.get(code) if channel == "System" else None
