//! Inventory exports of Linux fleets (osquery, Fleet, Wazuh, Landscape) as a normalizer.

normalizer_adapter::export_tool!(normalizer_adapter::LINUX);
